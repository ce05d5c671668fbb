"""The commands: what each is called, the arguments it takes and the function it runs.

The functions import late, so that `--help` does not wait for plotting and ONNX libraries.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from .configs import CONFIGS, Config


@dataclass(frozen=True)
class Argument:
    """Flags and options of `ArgumentParser.add_argument`."""

    flags: tuple[str, ...]
    options: dict[str, Any]


@dataclass(frozen=True)
class Command:
    """`either`: arguments of which exactly one is required."""

    run: Callable[[argparse.Namespace], None]
    help: str
    arguments: tuple[Argument, ...]
    either: tuple[Argument, ...] = ()


def argument(*flags: str, **options: Any) -> Argument:
    return Argument(flags, options)


def positive(kind: type) -> Callable[[str], Any]:
    """An argument's type: a number above 0."""

    def parse(text: str) -> Any:
        value = kind(text)
        if not value > 0:
            raise argparse.ArgumentTypeError(f"{text}: expected more than 0")
        return value

    parse.__name__ = kind.__name__
    return parse


def configured(args: argparse.Namespace, *changed: str) -> Config:
    """The configuration of `--config`, with the fields named `changed` replaced where they were given."""
    given = {name: getattr(args, name) for name in changed if getattr(args, name)}
    return replace(CONFIGS[args.config], **given)


def prepare(args: argparse.Namespace) -> None:
    from . import dataset

    c = configured(args)
    dataset.prepare(args.archives, args.store, c.shape.scale, c.shape.image_channels, c.crop)


def train(args: argparse.Namespace) -> None:
    from .dataset import Store
    from .train import Trainer

    config = configured(args, "batch", "patch", "lr")
    trainer = Trainer(config, Store(args.store, args.device), args.run, args.device, args.seed, args.compile)
    if not trainer.resume() and args.begin_from:
        trainer.begin_from(args.begin_from)
    trainer.run(args.minutes, args.iterations, args.every)


def texture(args: argparse.Namespace) -> None:
    from .dataset import Store
    from .texture import Texture

    config = configured(args, "batch", "patch")
    how = {"fuse": args.compile, "critic": args.critic, "taught": args.taught}
    run = Texture(args.weights, config, Store(args.store, args.device), args.run, args.device, args.perceptual, **how)
    run.resume()
    run.run(args.minutes, args.iterations, args.every)


def one_step(args: argparse.Namespace) -> None:
    from .dataset import Store
    from .one_step import OneStep

    config = configured(args, "batch", "patch")
    run = OneStep(args.weights, config, Store(args.store, args.device), args.run, args.device, args.perceptual)
    run.resume()
    run.run(args.minutes, every=args.every)


def average(args: argparse.Namespace) -> None:
    from .checkpoint import average

    average(args.weights, args.shares or [1.0] * len(args.weights), args.output)


def estimator(args: argparse.Namespace) -> None:
    from . import estimator
    from .dataset import Store

    estimator.add(args.bundle, Store(args.store, args.device), args.minutes, args.device)


def perceptual(args: argparse.Namespace) -> None:
    from .perceptual import fetch

    fetch(args.directory)


def peer(args: argparse.Namespace) -> None:
    from .peer import install

    install(args.directory)


def teach(args: argparse.Namespace) -> None:
    from . import taught
    from .dataset import Store
    from .peer import RealEsrgan

    network = RealEsrgan(args.peer, args.threads)
    taught.make(Store(args.store), configured(args).schedule, network.run, args.directory, args.minutes, args.seed)


def export(args: argparse.Namespace) -> None:
    from . import export

    export.export(args.weights, args.bundle, args.version, args.training)


def quantise(args: argparse.Namespace) -> None:
    from . import quantise

    quantise.quantise(args.source, args.store, args.bundle)


def evaluate(args: argparse.Namespace) -> None:
    from . import evaluate

    how = {"grids": not args.no_grids, "perceptual": args.perceptual, "peer": args.peer}
    for bundle in args.bundles:
        evaluate.evaluate(bundle, args.data, args.sets, args.steps, args.report, args.limit, args.threads, **how)


def naturalness(args: argparse.Namespace) -> None:
    from .dataset import Store
    from .niqe import fit

    store = Store(args.store)
    fit((store.hr[i].numpy() for i in store.train.tolist()[:: args.every]), args.output)


def observe(args: argparse.Namespace) -> None:
    from . import observe

    observe.observe(args.store, args.name, args.report)


def ablate(args: argparse.Namespace) -> None:
    from . import ablate

    base = configured(args, "batch")
    if args.width:
        base = replace(base, shape=replace(base.shape, width=args.width))
    ablate.ablate(base, args.store, args.run, args.iterations, args.start_steps, args.report, args.device, args.compile)


def volumes(args: argparse.Namespace) -> None:
    from .volumes import Program, evaluate_volumes

    program = Program(args.program, args.threads)
    evaluate_volumes(program, args.data, args.held_out, args.seen, args.report, args.slices, args.options or ())


def chains(args: argparse.Namespace) -> None:
    from .chains import compare_chains
    from .volumes import Program, sets_of

    sets = sets_of(args.data, args.held_out, args.slices)
    compare_chains(Program(args.program, args.threads), [args.aligned, args.full], sets, args.report)


def every(minutes: float) -> Argument:
    help = f"minutes between checkpoints; default: {minutes:g}"
    return argument("--every", type=positive(float), default=minutes, help=help)


BATCH = argument("--batch", type=positive(int), help="patches per iteration; default: the configuration's")
BUNDLE = argument("bundle", type=Path, help="directory to write")
COMPILE = argument("--compile", action="store_true", help="use torch.compile; on a CPU it needs a C++ compiler")
CONFIG = argument("--config", default="natural-x4", choices=CONFIGS, help="default: natural-x4")
DEVICE = argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="default: cuda if available")
ITERATIONS = argument("--iterations", type=positive(int), help="number of iterations")
MINUTES = argument("--minutes", type=positive(float), help="wall-clock time; the learning rate follows it")
PATCH = argument("--patch", type=positive(int), help="LR pixels of a patch; default: the configuration's")
REPORT = argument("--report", type=Path, required=True, help="directory to write")
RUN = argument("--run", type=Path, required=True, help="directory of the checkpoints and the log")
STORE = argument("--store", type=Path, required=True, help="directory that `prepare` wrote")
WEIGHTS = argument("weights", type=Path, help="weights.pt of a run, or a bundle")

PROGRAM = argument("program", type=Path, help="the partdiff binary")
VOLUMES = (
    argument("--data", type=Path, help="directory that holds HR/NAME_NUMBER.png, slices not trained on"),
    argument("--held-out", type=Path, nargs="+", default=[], help="NIfTI volumes of subjects not trained on"),
    argument("--slices", type=positive(int), help="slices of a volume, from its middle; default: all"),
)
PERCEPTUAL = argument("--perceptual", type=Path, required=True, help="directory that `perceptual` wrote")
FINE_TUNING = (WEIGHTS, PERCEPTUAL, CONFIG, STORE, RUN, every(10.0), BATCH, PATCH, DEVICE)

COMMANDS = {
    "prepare": Command(
        prepare,
        "decode tar archives of images into a store",
        (
            argument("archives", type=Path, nargs="+"),
            argument("--store", type=Path, required=True, help="directory to write"),
            CONFIG,
        ),
    ),
    "train": Command(
        train,
        "train one configuration; resumes if the run's directory holds a checkpoint",
        (
            CONFIG,
            STORE,
            RUN,
            every(5.0),
            BATCH,
            PATCH,
            argument("--lr", type=positive(float), help="peak learning rate; default: the configuration's"),
            argument("--seed", type=int, default=0, help="default: 0"),
            argument("--begin-from", type=Path, help="weights.pt of another run, or a bundle, to start from"),
            DEVICE,
            COMPILE,
        ),
        either=(MINUTES, ITERATIONS),
    ),
    "texture": Command(
        texture,
        "fine-tune the few-step sampler for the eye (LPIPS and a discriminator); resumes as `train` does",
        (
            *FINE_TUNING,
            COMPILE,
            argument("--critic", type=Path, help="directory of an earlier run, whose discriminator goes on learning"),
            argument("--taught", type=Path, help="directory that `teach` wrote, to learn damaged images from"),
        ),
        either=(MINUTES, ITERATIONS),
    ),
    "one-step": Command(
        one_step,
        "bring one step back to squared error after `texture`, other steps held; resumes as `train` does",
        FINE_TUNING,
        either=(MINUTES,),
    ),
    "average": Command(
        average,
        "average the weights of runs that went on from one another",
        (
            argument(
                "weights", type=Path, nargs="+", help="weights.pt of runs, or bundles; the first gives the record"
            ),
            argument("--shares", type=positive(float), nargs="+", help="of each, in any unit; default: equal ones"),
            argument("--output", type=Path, required=True, help="weights.pt to write"),
        ),
    ),
    "perceptual": Command(
        perceptual,
        "download the networks of LPIPS (64 MB), for training and measuring",
        (argument("directory", type=Path, help="directory to write"),),
    ),
    "peer": Command(
        peer,
        "install Real-ESRGAN and ncnn into a folder of their own, to compare with",
        (argument("directory", type=Path, help="folder to make"),),
    ),
    "teach": Command(
        teach,
        "enlarge damaged crops with Real-ESRGAN, for `texture` to learn from; goes on where it stopped",
        (
            argument("directory", type=Path, help="directory to write"),
            STORE,
            argument("--peer", type=Path, required=True, help="folder that `peer` made"),
            CONFIG,
            argument("--seed", type=int, default=0, help="of the crops: runs side by side need their own; default: 0"),
        ),
        either=(MINUTES,),
    ),
    "export": Command(
        export,
        "write a bundle from averaged weights and verify it in ONNX Runtime",
        (
            WEIGHTS,
            BUNDLE,
            argument("--version", required=True, help="of the bundle, such as 0.2.0"),
            argument("--training", default="", help="one sentence on data and compute, for the manifest"),
        ),
    ),
    "estimator": Command(
        estimator,
        "train the damage estimator of a bundle, which tells `--cleanup auto` the level",
        (argument("bundle", type=Path, help="a bundle that `export` wrote"), STORE, DEVICE),
        either=(MINUTES,),
    ),
    "quantise": Command(
        quantise,
        "write the int8 variant of a bundle",
        (argument("source", type=Path, help="a bundle that `export` wrote"), BUNDLE, STORE),
    ),
    "evaluate": Command(
        evaluate,
        "measure bundles on benchmark sets; writes tables, plots and image grids",
        (
            argument("bundles", type=Path, nargs="+"),
            argument("--data", type=Path, required=True, help="directory that holds SET/HR and SET/LR_x4"),
            argument("--sets", nargs="+", help="default: Set5 and BSD100, or the MR slices"),
            argument("--steps", type=positive(int), nargs="+", help="default: 1, 2, 4, 8 and those of the presets"),
            argument("--limit", type=positive(int), help="images per set, for a quick look"),
            argument("--perceptual", type=Path, help="directory that `perceptual` wrote, to measure LPIPS"),
            argument(
                "--peer",
                type=Path,
                help="folder that `peer` made, to compare with Real-ESRGAN on damaged images (slow)",
            ),
            argument("--no-grids", action="store_true", help="no crops, for a variant that looks like its source"),
            REPORT,
        ),
    ),
    "volumes": Command(
        volumes,
        "measure the program on MR volumes made coarse; writes tables and figures",
        (
            PROGRAM,
            *VOLUMES,
            argument("--seen", type=Path, nargs="+", default=[], help="NIfTI volumes of subjects that were trained on"),
            argument(
                "--options",
                action="append",
                help='options of the program to measure too, at one step: --options="--consistency 32"; repeatable',
            ),
            REPORT,
        ),
    ),
    "chains": Command(
        chains,
        "measure the aligned and the full chain on MR volumes; writes a table",
        (
            PROGRAM,
            argument("aligned", type=Path, help="bundle of a network of `ablate` with latent alignment"),
            argument("full", type=Path, help="bundle of one of the full chain"),
            *VOLUMES,
            REPORT,
        ),
    ),
    "naturalness": Command(
        naturalness,
        "fit the NIQE model on a store's training crops",
        (
            STORE,
            argument("--every", type=positive(int), default=6, help="take every n-th crop; default: 6"),
            argument("--output", type=Path, default=Path(__file__).with_name("niqe.npz"), help="file to write"),
        ),
    ),
    "observe": Command(
        observe,
        "plot the distance of diffused LR and HR latents against t",
        (STORE, argument("--name", default="natural", help="name of the report's files; default: natural"), REPORT),
    ),
    "ablate": Command(
        ablate,
        "compare partial diffusion with and without alignment to the full chain, on equal budgets",
        (
            CONFIG,
            STORE,
            RUN,
            argument("--iterations", type=positive(int), required=True, help="training of each variant"),
            argument(
                "--start-steps",
                type=positive(int),
                nargs="+",
                default=[40],
                help="values of K; the first is the claim's",
            ),
            argument("--width", type=positive(int), help="channels of the network; default: the configuration's"),
            BATCH,
            REPORT,
            DEVICE,
            COMPILE,
        ),
    ),
}
