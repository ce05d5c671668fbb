"""The training objective: latents at given steps, and the loss of the residual that the network predicts from them.

The loss is the squared error of the residual, scaled to unit variance and weighted by
min(1 + SNR, 10); at t = K that is plain regression.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from .schedule import Schedule

Denoise = Callable[[Tensor, Tensor], Tensor]
"""Takes z of unit variance and t as a fraction, and returns the network's output."""


def has_bf16(device: str) -> bool:
    """Whether bf16 is worth using: processors without it emulate it, ten times slower than fp32."""
    return device != "cpu" or torch.cpu._is_avx512_bf16_supported()


class Objective:
    """A schedule on a device. `step` is [N] in 1..K, r and eps [N, C, sh, sw] of unit variance."""

    def __init__(self, schedule: Schedule, device: str | torch.device):
        table = lambda x: torch.tensor(x, dtype=torch.float32, device=device)
        self.schedule = schedule
        self.signal, self.noise = table(schedule.signal), table(schedule.noise)
        self.scale, self.weight = table(schedule.input_scale), table(schedule.loss_weight)

    def latent(self, r: Tensor, eps: Tensor, step: Tensor) -> Tensor:
        """z at `step`, of unit variance."""
        at = lambda values: values[step][:, None, None, None]
        return (at(self.signal) * r + at(self.noise) * eps) * at(self.scale)

    def fraction(self, step: Tensor) -> Tensor:
        """t for the denoiser: `step` as a fraction of K."""
        return step / self.schedule.start_step

    def residual(self, output: Tensor, z: Tensor, step: Tensor) -> Tensor:
        """The network's output -> r; z of unit variance."""
        if self.schedule.prediction == "residual":
            return output.float()
        at = lambda values: (values * self.scale)[step][:, None, None, None]
        return at(self.signal) * z - at(self.noise) * output.float()

    def predict(self, denoise: Denoise, z: Tensor, t: int) -> Tensor:
        """r from z at t, which is not yet scaled."""
        step = torch.full((len(z),), t, device=z.device)
        z = z * self.scale[t]
        return self.residual(denoise(z, self.fraction(step)), z, step)

    def ddim(self, z: Tensor, r: Tensor, t: int, s: int) -> Tensor:
        """z at s from z at t and the r predicted there: a step of DDIM with eta 0."""
        return self.signal[s] * r + self.noise[s] * (z - self.signal[t] * r) / self.noise[t]

    def loss(self, denoise: Denoise, r: Tensor, eps: Tensor, step: Tensor) -> Tensor:
        """The loss of `denoise`."""
        z = self.latent(r, eps, step)
        predicted = self.residual(denoise(z, self.fraction(step)), z, step)
        return (self.weight[step][:, None, None, None] * (predicted - r) ** 2).mean()
