"""Training of both networks; the learning rate follows the budget of minutes or iterations."""

import math
from pathlib import Path

import numpy as np
import torch

from . import checkpoint, optimiser
from .batches import Batch
from .configs import Config
from .dataset import Store
from .network import PartialDiffusion
from .running import Run, follow

WARM_UP = 100
"""Iterations until the full learning rate."""


class Trainer(Run):
    """Trains both networks at once."""

    def __init__(self, config: Config, store: Store, directory: Path, device: str, seed: int = 0, fuse: bool = False):
        torch.manual_seed(seed)
        super().__init__(PartialDiffusion(config.shape), config, store, directory, device, seed)
        # Fusing the operations between convolutions saves a fifth of the time and costs a minute at the start.
        self.forward = torch.compile(self.network) if fuse else self.network
        self.optimisers = optimiser.make(self.network, config.lr, config.muon)

    def parts(self) -> dict:
        return {"network": self.network} | {f"optimiser{i}": o for i, o in enumerate(self.optimisers)}

    def fixed(self) -> dict:
        c = self.config
        return super().fixed() | {"lr": c.lr, "muon": c.muon, "ema": c.ema, "clip": c.clip}

    def begin_from(self, weights: Path) -> None:
        """Starts a new run from the averaged weights of another, or from a bundle.

        Layers of another shape (such as for another scale) keep their random weights. Blocks that are new add nothing
        at first (neither does `Wide`), so that a deeper network begins with the result of the other.
        """
        network, _, _ = checkpoint.load_weights(weights)
        given, own = network.state_dict(), self.network.state_dict()
        for key, value in own.items():
            if key in given and given[key].shape == value.shape:
                value.copy_(given[key])
            elif key in given and "outer" in key and len(given[key]) < len(value):
                # One row for each channel of each block, in their order.
                value.zero_()[: len(given[key])].copy_(given[key])
            elif key not in given and "conv2" in key and ".wide." not in key:
                value.zero_()
        self.average = {k: v.clone() for k, v in own.items()}

    def loss(self, b: Batch) -> torch.Tensor:
        """The loss of both networks on a batch."""
        r = (b.x0 - b.u) / self.config.schedule.residual_std
        lr = b.lr.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device, torch.bfloat16, enabled=self.bf16):
            return self.objective.loss(lambda z, t: self.forward(lr, b.level, z, t), r, b.eps, b.step)

    def step(self, progress: float) -> dict[str, float]:
        warm = min(1.0, (self.iteration + 1) / WARM_UP)
        rate = self.config.lr * warm * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
        loss = self.loss(self.source.draw(self.iteration))
        value = loss.item()
        self.iteration += 1
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip)
        for o in self.optimisers:
            for group in o.param_groups:
                group["lr"] = rate
            o.step()
            o.zero_grad(set_to_none=True)
        follow(self.average, self.network, self.config.ema, self.iteration)
        return {"loss": value}

    def summary(self, rows: list[dict[str, float]]) -> list[str]:
        return [f"loss {np.median([row['loss'] for row in rows]):.4f}"]
