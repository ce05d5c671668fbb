"""Checkpoints: the full training state for an exact resume, or the averaged weights alone."""

import os
from dataclasses import asdict, replace
from pathlib import Path

import torch

from .configs import Config, named
from .errors import InputError
from .network import NetworkShape, PartialDiffusion
from .restore import load_bundle
from .schedule import Schedule


def write(path: Path, content: dict) -> None:
    """Writes atomically: an interrupted run keeps its last checkpoint."""
    temporary = path.with_suffix(".part")
    torch.save(content, temporary)
    os.replace(temporary, path)


def read(path: Path, expected: str) -> dict:
    """Reads what `write` wrote, onto the CPU; InputError if the file is anything else."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # unpickling raises almost anything
        raise InputError(f"{path}: expected {expected}") from error


def save_weights(path: Path, config: Config, weights: dict[str, torch.Tensor], record: dict) -> None:
    """The averaged weights with what is needed to rebuild the network, in fp32."""
    weights = {k: v.detach().float().cpu() for k, v in weights.items()}
    content = {"name": config.name, "shape": asdict(config.shape), "schedule": asdict(config.schedule)}
    write(path, content | {"weights": weights, "record": record})


def load_weights(path: Path) -> tuple[PartialDiffusion, Schedule, dict]:
    """weights.pt or a bundle -> network in evaluation mode, schedule, {name, record}."""
    if path.is_dir():
        return load_bundle(path)
    expected = "weights.pt of a run, or a bundle"
    content = read(path, expected)
    try:
        network = PartialDiffusion(NetworkShape(**content["shape"]))
        network.load_state_dict(content["weights"])
    except (KeyError, TypeError, RuntimeError) as error:
        raise InputError(f"{path}: expected {expected}") from error
    return network.eval(), Schedule(**content["schedule"]), {k: content[k] for k in ("name", "record")}


def average(paths: list[Path], shares: list[float], output: Path) -> None:
    """Writes the weighted mean of the weights of networks of one shape, with the record of the first.

    Networks that went on from one another lie in one valley of the loss, and their mean has less of what is their own:
    grain (Wortsman et al., arXiv 2203.05482). InputError if the shapes or schedules differ.
    """
    if len(shares) != len(paths):
        raise InputError(f"--shares: {len(shares)} numbers for {len(paths)} files; expected one for each")
    loaded = [load_weights(path) for path in paths]
    first, schedule, about = loaded[0]
    for path, (network, own, _) in zip(paths, loaded):
        if (network.shape, own) != (first.shape, schedule):
            raise InputError(f"{path}: another shape or schedule than {paths[0]}")
    states = [network.state_dict() for network, _, _ in loaded]
    mean = {name: sum(s / sum(shares) * state[name] for s, state in zip(shares, states)) for name in states[0]}
    config = replace(named(about["name"]), shape=first.shape, schedule=schedule)
    save_weights(output, config, mean, about["record"])
