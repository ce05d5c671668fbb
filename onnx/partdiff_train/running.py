"""What every training run does besides its loss: averaged weights and a log."""

import time
from pathlib import Path

import torch
from torch import Tensor, nn


@torch.no_grad()
def follow(average: dict[str, Tensor], network: nn.Module, decay: float, iteration: int) -> None:
    """Moves the averaged weights towards the network's; early iterations count for less."""
    state = network.state_dict()
    decay = min(decay, iteration / (iteration + 10))
    torch._foreach_lerp_(list(average.values()), [state[k] for k in average], 1 - decay)


def log(folder: Path, seconds: float, iteration: int, text: str) -> None:
    """Prints a line and adds it to log.txt, with the time of the run so far."""
    line = f"{time.strftime('%H:%M:%S')}  {seconds / 60:6.1f} min  {iteration:6d}  {text}"
    print(line, flush=True)
    with open(folder / "log.txt", "a") as file:
        file.write(line + "\n")
