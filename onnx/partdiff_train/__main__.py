"""python -m partdiff_train COMMAND: see `--help`, and README.md for the order of the commands."""

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

# Threads that wait must not spin: on a busy machine that doubles the time of an iteration.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch

from .configs import CONFIGS
from .errors import InputError


def positive(kind: type):
    """An argument's type: a number above 0."""

    def parse(text: str):
        value = kind(text)
        if not value > 0:
            raise argparse.ArgumentTypeError(f"{text}: expected more than 0")
        return value

    parse.__name__ = kind.__name__
    return parse


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="partdiff_train", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)

    def command(name: str, text: str) -> argparse.ArgumentParser:
        p = commands.add_parser(name, help=text, description=text)
        p.add_argument("--threads", type=int, default=0, help="CPU threads; 0: all")
        return p

    p = command("prepare", "decode tar archives of images into a store")
    p.add_argument("archives", type=Path, nargs="+")
    p.add_argument("--store", type=Path, required=True, help="folder to write")
    p.add_argument("--config", default="natural-x4", choices=CONFIGS)

    p = command("train", "train one configuration; goes on where the run folder holds a state")
    p.add_argument("--config", default="natural-x4", choices=CONFIGS)
    p.add_argument("--store", type=Path, required=True)
    p.add_argument("--run", type=Path, required=True, help="folder of checkpoints and log")
    budget = p.add_mutually_exclusive_group(required=True)
    budget.add_argument(
        "--minutes", type=positive(float), help="budget of wall-clock time; the learning rate follows it"
    )
    budget.add_argument("--iterations", type=positive(int), help="budget of iterations, instead of --minutes")
    p.add_argument("--every", type=positive(float), default=5.0, help="minutes between checkpoints")
    p.add_argument("--batch", type=positive(int), help="patches per iteration, instead of the configuration's")
    p.add_argument("--patch", type=positive(int), help="LR pixels of a patch, instead of the configuration's")
    p.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--begin-from", type=Path, help="weights.pt of another run, or a bundle, to start from")
    p.add_argument(
        "--compile", action="store_true", help="fuse operations with torch.compile; needs a C++ compiler on CPUs"
    )
    p.add_argument("--lr", type=positive(float), help="peak learning rate, instead of the configuration's")

    p = command(
        "texture", "fine-tune the few-step sampler against a discriminator; goes on where the run folder holds a state"
    )
    p.add_argument("weights", type=Path, help="weights.pt of a run, or a bundle")
    p.add_argument("--config", default="natural-x4", choices=CONFIGS)
    p.add_argument("--store", type=Path, required=True)
    p.add_argument("--run", type=Path, required=True, help="folder of checkpoints and log")
    p.add_argument("--minutes", type=positive(float), required=True, help="budget of wall-clock time")
    p.add_argument("--every", type=positive(float), default=10.0, help="minutes between checkpoints")
    p.add_argument("--batch", type=positive(int), help="patches per iteration, instead of the configuration's")
    p.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")

    p = command("export", "write a bundle from averaged weights and verify it in ONNX Runtime")
    p.add_argument("weights", type=Path, help="weights.pt of a run, or a bundle")
    p.add_argument("bundle", type=Path, help="folder to write")
    p.add_argument("--version", required=True, help="of the bundle, such as 0.2.0")
    p.add_argument("--training", default="", help="one sentence on data and compute, for the manifest")

    p = command("quantise", "write the int8 variant of a bundle")
    p.add_argument("source", type=Path, help="a bundle that `export` wrote")
    p.add_argument("bundle", type=Path, help="folder to write")
    p.add_argument("--store", type=Path, required=True, help="images for calibration")

    p = command("evaluate", "measure bundles on benchmark sets; writes tables, plots and image grids")
    p.add_argument("bundles", type=Path, nargs="+")
    p.add_argument("--data", type=Path, required=True, help="folder that holds SET/HR and SET/LR_x4")
    p.add_argument("--sets", nargs="+", help="default: Set5 and BSD100, or the MR slices")
    p.add_argument(
        "--steps", type=positive(int), nargs="+", help="numbers of steps; default: 1, 2, 4, 8 and the presets'"
    )
    p.add_argument("--limit", type=positive(int), help="images per set, for a quick look")
    p.add_argument(
        "--no-grids", action="store_true", help="no crops; for a variant whose pictures look like its source's"
    )
    p.add_argument("--report", type=Path, required=True, help="folder to write")

    p = command("naturalness", "fit the NIQE model on a store's training crops")
    p.add_argument("--store", type=Path, required=True)
    p.add_argument("--every", type=positive(int), default=6, help="take every n-th crop")
    p.add_argument("--output", type=Path, default=Path(__file__).with_name("niqe.npz"))

    p = command("observe", "plot the distance of diffused LR and HR latents against t")
    p.add_argument("--store", type=Path, required=True)
    p.add_argument("--name", default="natural", help="name of the report's files")
    p.add_argument("--report", type=Path, required=True)

    p = command("ablate", "partial with and without alignment against the full chain, on equal budgets")
    p.add_argument("--config", default="natural-x4", choices=CONFIGS, help="what to vary")
    p.add_argument("--store", type=Path, required=True)
    p.add_argument("--run", type=Path, required=True, help="folder of the variants' runs")
    p.add_argument("--iterations", type=positive(int), required=True, help="training of each variant")
    p.add_argument(
        "--start-steps", type=positive(int), nargs="+", default=[40], help="values of K; the first is the claim's"
    )
    p.add_argument("--width", type=positive(int), help="channels of the network, instead of the configuration's")
    p.add_argument("--batch", type=positive(int), help="patches per iteration, instead of the configuration's")
    p.add_argument("--report", type=Path, required=True)
    p.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    p.add_argument("--compile", action="store_true", help="fuse operations with torch.compile")
    return top


def main() -> None:
    args = parser().parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    # Imported late: `--help` should not wait for plotting and ONNX libraries.
    if args.command == "prepare":
        from .dataset import prepare

        c = CONFIGS[args.config]
        prepare(args.archives, args.store, c.shape.scale, c.shape.image_channels, c.crop)
    elif args.command == "train":
        from .dataset import Store
        from .train import Trainer

        config = CONFIGS[args.config]
        config = replace(
            config,
            batch=args.batch or config.batch,
            patch=args.patch or config.patch,
            lr=args.lr or config.lr,
        )
        trainer = Trainer(config, Store(args.store, args.device), args.run, args.device, args.seed, args.compile)
        if not trainer.resume() and args.begin_from:
            trainer.begin_from(args.begin_from)
        trainer.run(args.minutes, args.iterations, args.every)
    elif args.command == "texture":
        from .dataset import Store
        from .texture import Texture

        config = CONFIGS[args.config]
        config = replace(config, batch=args.batch or config.batch)
        texture = Texture(args.weights, config, Store(args.store, args.device), args.run, args.device)
        texture.resume()
        texture.run(args.minutes, every=args.every)
    elif args.command == "export":
        from .export import export

        export(args.weights, args.bundle, args.version, args.training)
    elif args.command == "quantise":
        from .quantise import quantise

        quantise(args.source, args.store, args.bundle)
    elif args.command == "evaluate":
        from .evaluate import evaluate

        for bundle in args.bundles:
            grids = not args.no_grids
            evaluate(bundle, args.data, args.sets, args.steps, args.report, args.limit, args.threads, grids)
    elif args.command == "naturalness":
        from .dataset import Store
        from .niqe import fit

        store = Store(args.store, "cpu")
        fit((store.hr[i].numpy() for i in store.train.tolist()[:: args.every]), args.output)
    elif args.command == "observe":
        from .observe import observe

        observe(args.store, args.name, args.report)
    elif args.command == "ablate":
        from .ablate import ablate

        base = CONFIGS[args.config]
        shape = replace(base.shape, width=args.width or base.shape.width)
        base = replace(base, shape=shape, batch=args.batch or base.batch)
        ablate(base, args.store, args.run, args.iterations, args.start_steps, args.report, args.device, args.compile)


def run() -> None:
    """`main`, with what the user can mend as one line."""
    try:
        main()
    except (InputError, OSError) as error:
        sys.exit(f"partdiff_train: error: {error}")


if __name__ == "__main__":
    run()
