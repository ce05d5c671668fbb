"""Trains, evaluates and exports the models of PartDiff; README.md gives the order of the commands."""

import argparse
import os
import sys

# Threads that wait must not spin: on a busy machine that doubles the time of an iteration.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch

from .commands import COMMANDS
from .errors import InputError


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="partdiff-train", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    for name, command in COMMANDS.items():
        p = commands.add_parser(name, help=command.help, description=command.help)
        p.add_argument("--threads", type=int, default=0, help="CPU threads; 0, the default: all")
        for a in command.arguments:
            p.add_argument(*a.flags, **a.options)
        if command.either:
            group = p.add_mutually_exclusive_group(required=True)
            for a in command.either:
                group.add_argument(*a.flags, **a.options)
    return top


def main() -> None:
    args = parser().parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    COMMANDS[args.command].run(args)


def run() -> None:
    """`main`, with errors that the user can fix in one line."""
    try:
        main()
    except (InputError, OSError) as error:
        sys.exit(f"partdiff-train: error: {error}")


if __name__ == "__main__":
    run()
