"""Brings one step back to plain regression after training for the eye, and holds the other steps where they are.

All weights are shared between steps, so `texture` costs one step some of its PSNR. Here the denoiser learns squared
error at t = K again, while at the other times of the sampler its predictions are held to those that it had. The encoder
stays as it is.
"""

import copy
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from .configs import Config
from .dataset import Store
from .perceptual import Lpips
from .running import Run, digest, follow, load_start
from .sampler import timesteps

RATE = 2e-4
"""Peak learning rate: constant, then linear to 0 over the second half."""

HELD = 2.0
"""Weight of the difference from the earlier predictions."""

STEPS = (2, 4)
"""Numbers of even steps whose predictions are held."""

AVERAGE = 0.99
"""Decay of the averaged weights; the stage is short."""


class OneStep(Run):
    """Trains the denoiser of other weights."""

    VALIDATED = (1, *STEPS)

    def __init__(self, weights: Path, config: Config, store: Store, directory: Path, device: str, perceptual: Path):
        """`perceptual`: the directory that `perceptual.fetch` wrote, to measure LPIPS."""
        network, config, self.about = load_start(weights, config)
        super().__init__(network, config, store, directory, device, seed=9)
        self.begun = digest(network.state_dict())
        self.judge = Lpips(perceptual).to(device)
        self.network.encoder.requires_grad_(False)
        self.before: nn.Module = copy.deepcopy(self.network.denoiser).requires_grad_(False)
        self.optimiser = torch.optim.AdamW(
            self.network.denoiser.parameters(), RATE, betas=(0.9, 0.99), weight_decay=0.0
        )

    def parts(self) -> dict:
        return {"network": self.network, "before": self.before, "optimiser": self.optimiser}

    def fixed(self) -> dict:
        return super().fixed() | {"weights": self.begun}

    def record(self) -> dict:
        return self.about | {"one_step_iterations": self.iteration, "one_step_minutes": round(self.elapsed / 60, 1)}

    def predict(self, denoiser: nn.Module, z: Tensor, features: Tensor, t: int) -> Tensor:
        """As `Objective.predict`."""
        return self.objective.predict(lambda z, t: denoiser(z, features, t), z, t)

    @torch.no_grad()
    def chain(self, z: Tensor, first: Tensor, features: Tensor) -> tuple[Tensor, int]:
        """The latent that the sampler meets at a later step, and its t; the steps take turns."""
        steps = STEPS[self.iteration % len(STEPS)]
        ts = timesteps(self.config.schedule.start_step, steps)
        last = 1 + self.iteration // len(STEPS) % (steps - 1)
        r = first.detach()
        for i in range(last):
            t, s = ts[i], ts[i + 1]
            r = self.predict(self.network.denoiser, z, features, t) if i else r
            z = self.objective.ddim(z, r, t, s)
        return z, ts[last]

    def step(self, progress: float) -> dict[str, float]:
        for group in self.optimiser.param_groups:
            group["lr"] = RATE * min(1.0, (self.iteration + 1) / 20, 2 * (1 - min(progress, 1.0)))
        b, k = self.source.draw(self.iteration), self.config.schedule.start_step
        r = (b.x0 - b.u) / self.config.schedule.residual_std
        with torch.autocast(self.device, torch.bfloat16, enabled=self.bf16):
            with torch.no_grad():
                features = self.network.encoder(b.lr.contiguous(memory_format=torch.channels_last), b.level)
            z = self.objective.noise[k] * b.eps
            first = self.predict(self.network.denoiser, z, features, k)
            z, t = self.chain(z, first, features)
            with torch.no_grad():
                wanted = self.predict(self.before, z, features, t)
            error = (first - r).square().mean()
            change = (self.predict(self.network.denoiser, z, features, t) - wanted).square().mean()
        (error + HELD * change).backward()
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.iteration += 1
        follow(self.average, self.network, AVERAGE, self.iteration)
        return {"error": error.item(), "change": change.item()}

    def summary(self, rows: list[dict[str, float]]) -> list[str]:
        return ["  ".join(f"{key} {np.mean([row[key] for row in rows]):.4f}" for key in rows[0])]
