"""The training loop. Its length is given in minutes or in iterations, and the learning rate follows.

The loss is the squared error of the residual, scaled to unit variance and weighted by
min(1 + SNR, 10); at t = K that is plain regression.
"""

import math
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from . import checkpoint, figures, optimiser, running
from .batches import Batch, BatchSource
from .configs import Config
from .dataset import Store
from .errors import InputError
from .network import PartialDiffusion
from .validate import validate

WARM_UP = 100
"""Iterations until the full learning rate."""


def has_bf16(device: str) -> bool:
    """Whether bf16 pays: processors without it emulate it, ten times slower than fp32."""
    return device != "cpu" or torch.cpu._is_avx512_bf16_supported()


class Trainer:
    """One run in `folder`: state.pt (resumes exactly), weights.pt (averaged), log.txt."""

    def __init__(self, config: Config, store: Store, folder: Path, device: str, seed: int = 0, fuse: bool = False):
        torch.manual_seed(seed)
        torch.backends.cudnn.benchmark = True
        self.config, self.store, self.folder, self.device = config, store, folder, device
        self.bf16 = has_bf16(device)
        store.expect(config.shape)
        self.source = BatchSource(store, config.schedule, config.batch, config.patch, seed)
        folder.mkdir(parents=True, exist_ok=True)
        network = PartialDiffusion(config.shape).to(device, memory_format=torch.channels_last)
        self.network = network
        # Fusing what lies between the convolutions saves a fifth of the time; it costs a minute at the start.
        self.forward = torch.compile(network) if fuse else network
        self.average = {k: v.clone() for k, v in network.state_dict().items()}
        self.optimisers = optimiser.make(network, config.lr, config.muon)
        self.iteration, self.elapsed = 0, 0.0
        s = config.schedule
        table = lambda x: torch.tensor(x, dtype=torch.float32, device=device)  # noqa: E731
        self.signal, self.noise = table(s.signal), table(s.noise)
        self.scale, self.weight = table(s.input_scale), table(s.loss_weight)

    def begin_from(self, weights: Path) -> None:
        """Starts a new run from the averaged weights of another, or from a bundle.

        Layers of another shape (another scale, say) keep their random weights.
        """
        network, _, _ = checkpoint.load_weights(weights)
        own = self.network.state_dict()
        given = {k: v for k, v in network.state_dict().items() if k in own and v.shape == own[k].shape}
        self.network.load_state_dict(own | given)
        self.average = {k: v.clone() for k, v in self.network.state_dict().items()}

    def loss(self, b: Batch) -> torch.Tensor:
        s = self.config.schedule
        at = lambda values: values[b.step][:, None, None, None]  # noqa: E731
        r = (b.x0 - b.u) / s.residual_std
        z = (at(self.signal) * r + at(self.noise) * b.eps) * at(self.scale)
        with torch.autocast(self.device, torch.bfloat16, enabled=self.bf16):
            layout = {"memory_format": torch.channels_last}
            predicted = self.forward(b.lr.contiguous(**layout), b.level, z, b.step / s.start_step)
        return (at(self.weight) * (predicted.float() - r) ** 2).mean()

    def step(self, progress: float) -> float:
        """One update at `progress` 0..1 of the run; returns the loss."""
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
        running.follow(self.average, self.network, self.config.ema, self.iteration)
        return value

    def run(self, minutes: float | None = None, iterations: int | None = None, every: float = 5.0) -> None:
        """Until the budget is spent; validates and saves each `every` minutes and at the end."""
        began, before, saved = time.monotonic(), self.elapsed, time.monotonic()
        losses: list[float] = []
        while True:
            progress = self.elapsed / (60 * minutes) if minutes else self.iteration / iterations
            if progress >= 1:
                break
            losses.append(self.step(progress))
            self.elapsed = before + time.monotonic() - began
            if self.iteration % 100 == 0:
                self.log(f"loss {np.median(losses):.4f}  progress {progress:.3f}")
                losses = []
            if time.monotonic() - saved > 60 * every:
                self.save()
                saved = time.monotonic()
        self.save()

    def log(self, text: str) -> None:
        running.log(self.folder, self.elapsed, self.iteration, text)

    def averaged(self) -> PartialDiffusion:
        network = PartialDiffusion(self.config.shape).to(self.device)
        network.load_state_dict(self.average)
        return network.eval()

    def save(self) -> None:
        measures = validate(self.averaged(), self.config.schedule, self.store)
        self.log("valid " + "  ".join(f"{k} {v:.3f}" for k, v in measures.items()))
        record = {"iterations": self.iteration, "minutes": round(self.elapsed / 60, 1), "validation": measures}
        checkpoint.save_weights(self.folder / "weights.pt", self.config, self.average, record)
        state = {
            "network": self.network.state_dict(),
            "average": self.average,
            "optimisers": [o.state_dict() for o in self.optimisers],
            "iteration": self.iteration,
            "elapsed": self.elapsed,
            "recipe": self.recipe(),
        }
        checkpoint.write(self.folder / "state.pt", state)
        figures.training(self.folder / "log.png", (self.folder / "log.txt").read_text())

    def recipe(self) -> dict:
        """What must not change when a run goes on; its length may."""
        return asdict(self.config) | {"seed": self.source.seed}

    def resume(self) -> bool:
        """Continues from state.pt where there is one; InputError where it was begun with another recipe."""
        path = self.folder / "state.pt"
        if not path.exists():
            return False
        state = torch.load(path, map_location=self.device, weights_only=True)
        # States of before had no recipe.
        before, now = state.get("recipe"), self.recipe()
        if before is not None and before != now:
            changed = ", ".join(f"{k} was {v}, is {now.get(k)}" for k, v in before.items() if v != now.get(k))
            raise InputError(f"{path}: begun with another recipe ({changed})")
        self.network.load_state_dict(state["network"])
        self.average = state["average"]
        for o, s in zip(self.optimisers, state["optimisers"]):
            o.load_state_dict(s)
        for key in ("iteration", "elapsed"):
            setattr(self, key, state[key])
        return True
