"""Adversarial fine-tuning of the few-step sampler: texture within a budget of decibels.

Regression smooths what it cannot predict, and a small network turns only part of the latent's noise into
texture. Here the sampler runs as in the program, and its last step also learns from a discriminator
that sees pairs of (image, upsampled input). The weight of the discriminator is adjusted so that the
error stays a set number of decibels above that of one step. The step at t = K stays plain
regression, and the encoder is not trained, so the result of one step does not change. Degraded samples
stay plain regression at every step.

The last step learns at the t of uniform steps, although bundles may sample quadratic ones: trained at the last of
those, at t = 1 to 10, it sharpens existing detail instead of adding texture.

Relativistic pairing as in Jolicoeur-Martineau (arXiv 1807.00734); the gradient penalty is approximated
by the change under a little noise (Lin et al., arXiv 2501.08316).
"""

from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import checkpoint, optimiser
from .batches import Batch
from .configs import Config, named
from .dataset import Store
from .running import Run, digest, follow
from .sampler import timesteps

ANCHOR_AT_START = 0.5
"""Share of samples at t = K in the loss that anchors the network; the rest has the density of quadratic steps."""


@dataclass(frozen=True)
class Recipe:
    """`budget`: pairs of (number of steps, decibels that their error may exceed that of one step).

    `chroma`: weight of the squared error of colour, the error less its mean over channels: colour texture looks like
    specks. `anchor`: weight of the loss that keeps one step plain regression and low t free of grain;
    all weights are shared between steps.
    """

    budget: tuple[tuple[int, float], ...] = ((2, 0.6), (4, 1.2), (8, 1.8))
    chroma: float = 2.0
    lr: float = 2e-4
    critic_lr: float = 3e-4
    width: int = 64
    penalty: float = 20.0
    penalty_every: int = 4
    disturbance: float = 0.05
    matching: float = 1.0
    anchor: float = 6.0
    ema: float = 0.999


class Critic(nn.Module):
    """image and u [N, C, H, W] in [-1, 1] -> (score [N, 1, H/4, W/4], features of each layer)."""

    def __init__(self, channels: int, width: int):
        super().__init__()
        conv = lambda a, b, size, stride: nn.Conv2d(a, b, size, stride, (size - 1) // 2)
        self.layers = nn.ModuleList(
            (
                conv(2 * channels, width, 4, 2),
                conv(width, width * 3 // 2, 4, 2),
                conv(width * 3 // 2, width * 3 // 2, 3, 1),
            )
        )
        self.score = conv(width * 3 // 2, 1, 3, 1)

    def forward(self, image: Tensor, u: Tensor) -> tuple[Tensor, list[Tensor]]:
        # What the model adds is small; at about unit variance the critic sees it from the start.
        x = torch.cat([8 * (image - u), u], dim=1).contiguous(memory_format=torch.channels_last)
        features = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
            features.append(x)
        return self.score(x), features


def steered(force: float, left: float) -> float:
    """The discriminator's next weight, after an iteration that left `left` decibels of its budget."""
    return float(np.clip(force * np.exp(0.02 * np.clip(left, -1, 1)), 1e-4, 10))


class Texture(Run):
    """Trains the denoiser alone, from the weights of another run."""

    VALIDATED = (1, 2, 4, 6, 8)

    def __init__(
        self, weights: Path, config: Config, store: Store, directory: Path, device: str, recipe: Recipe = Recipe()
    ):
        torch.manual_seed(0)
        network, schedule, about = checkpoint.load_weights(weights)
        # Batch and patch come from the configuration, the network from the weights.
        spacing = named(about["name"], config).spacing
        config = replace(config, name=about["name"], shape=network.shape, schedule=schedule, spacing=spacing)
        super().__init__(network, config, store, directory, device, seed=1)
        self.begun = digest(network.state_dict())
        self.network.encoder.requires_grad_(False)
        self.about, self.recipe = about["record"], recipe
        self.critic = (
            Critic(network.shape.image_channels, recipe.width).to(device).to(memory_format=torch.channels_last)
        )
        (self.optimiser,) = optimiser.make(network.denoiser, recipe.lr, muon=False)
        self.critic_optimiser = torch.optim.AdamW(self.critic.parameters(), recipe.critic_lr, betas=(0.5, 0.95))
        self.force = {steps: 0.3 * steps for steps, _ in recipe.budget}

    def parts(self) -> dict:
        names = ("network", "critic", "optimiser", "critic_optimiser")
        return {name: getattr(self, name) for name in names}

    def state(self) -> dict:
        return super().state() | {"force": self.force}

    def restore(self, state: dict) -> None:
        super().restore(state)
        self.force = state["force"]

    def fixed(self) -> dict:
        return super().fixed() | {"weights": self.begun, "texture": asdict(self.recipe)}

    def record(self) -> dict:
        own = {"texture_iterations": self.iteration, "texture_minutes": round(self.elapsed / 60, 1)}
        return self.about | own

    def predict(self, z: Tensor, features: Tensor, t: int) -> Tensor:
        """z at t, not yet scaled -> residual of unit variance."""
        o, step = self.objective, torch.full((len(z),), t, device=self.device)
        z = z * o.scale[t]
        return o.residual(self.network.denoiser(z, features, o.fraction(step)), z, step)

    def sample(self, b: Batch, features: Tensor, steps: int) -> tuple[Tensor, Tensor]:
        """The sampler (DDIM, eta 0, uniform steps), gradients from its last step -> residuals of first and last."""
        o, ts = self.objective, timesteps(self.config.schedule.start_step, steps)
        z = o.noise[ts[0]] * b.eps
        with torch.no_grad():
            first = self.predict(z, features, ts[0])
            for t, s in pairwise(ts[:-1]):
                r = first if t == ts[0] else self.predict(z, features, t)
                z = o.signal[s] * r + o.noise[s] * (z - o.signal[t] * r) / o.noise[t]
        return first, self.predict(z, features, ts[-2])

    def denoising(self, b: Batch, r: Tensor, features: Tensor) -> Tensor:
        """The loss of `train`, half of it at t = K, to keep one step as it is, and much of it at low t."""
        o, k = self.objective, self.config.schedule.start_step
        share, place = torch.rand(2, len(r), device=self.device)
        step = torch.where(share < ANCHOR_AT_START, k, 1 + (k * place**2).long().clamp(max=k - 1))
        return o.loss(lambda z, t: self.network.denoiser(z, features, t), r, b.eps, step)

    def critic_loss(self, real: Tensor, fake: Tensor, u: Tensor) -> Tensor:
        """The loss of the discriminator on pairs of images and u, every few iterations with its penalty."""
        pair = torch.cat([real, fake])
        scores = self.critic(pair, torch.cat([u, u]))[0].float()
        loss = F.softplus(scores[len(u) :] - scores[: len(u)]).mean()
        if self.iteration % self.recipe.penalty_every == 0:
            noisy = pair + self.recipe.disturbance * torch.randn_like(pair)
            change = self.critic(noisy, torch.cat([u, u]))[0].float() - scores
            loss = loss + self.recipe.penalty * self.recipe.penalty_every * change.square().mean()
        return loss

    def step(self, progress: float) -> dict[str, float]:
        d = self.recipe
        steps, budget = d.budget[self.iteration % len(d.budget)]
        # Constant, then linear to 0 over the last third.
        fall = min(1.0, 3 * (1 - min(progress, 1.0)))
        for o, peak in ((self.optimiser, d.lr), (self.critic_optimiser, d.critic_lr)):
            for group in o.param_groups:
                group["lr"] = peak * fall
        # A function of the iteration, like the batches: a resumed run equals an uninterrupted one.
        torch.manual_seed(self.iteration)
        b = self.source.draw(self.iteration)
        self.iteration += 1
        std = self.config.schedule.residual_std
        r = (b.x0 - b.u) / std
        with torch.autocast(self.device, torch.bfloat16, enabled=self.bf16):
            with torch.no_grad():
                features = self.network.encoder(b.lr.contiguous(memory_format=torch.channels_last), b.level)
            first, made = self.sample(b, features, steps)
            fake = b.u + std * made
            # In degraded images, degradation and texture cannot be told apart: there the step stays regression.
            whole = b.level <= b.level.min()  # 0, unless a batch has none of these
            real, made_whole, u = b.x0[whole], fake[whole], b.u[whole]
            error, floor = ((x[whole] - r[whole]).square().mean() for x in (made, first))
            self.critic.requires_grad_(False)
            score, seen = self.critic(made_whole, u)
            with torch.no_grad():
                wanted, original = self.critic(real, u)
            # Distance between the image and the original in the critic's features.
            distance = sum((a - o).abs().mean() / o.abs().mean() for a, o in zip(seen, original)).float()
            adversarial = F.softplus(wanted.float() - score.float()).mean() + d.matching * distance
            wrong = made - r
            coloured = wrong - wrong.mean(dim=1, keepdim=True)
            loss = wrong.square().mean() + d.chroma * coloured.square().mean()
            loss = loss + d.anchor * self.denoising(b, r, features) + self.force[steps] * adversarial
            self.critic.requires_grad_(True)
        loss.backward()
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        with torch.autocast(self.device, torch.bfloat16, enabled=self.bf16):
            critic_loss = self.critic_loss(real, made_whole.detach(), u)
        critic_loss.backward()
        self.critic_optimiser.step()
        self.critic_optimiser.zero_grad(set_to_none=True)
        spent = 10 * np.log10(error.item() / floor.item())
        self.force[steps] = steered(self.force[steps], budget - spent)
        follow(self.average, self.network, d.ema, self.iteration)
        measures = {
            "spent": spent,
            "critic": critic_loss.item(),
            "distance": distance.item(),
            "force": self.force[steps],
        }
        return {"steps": steps} | measures

    def summary(self, rows: list[dict[str, float]]) -> list[str]:
        lines = []
        for steps in dict.fromkeys(row["steps"] for row in rows):
            group = [row for row in rows if row["steps"] == steps]
            mean = {k: np.mean([row[k] for row in group]) for k in group[0] if k != "steps"}
            lines.append(f"{steps} steps  " + "  ".join(f"{k} {v:.3f}" for k, v in mean.items()))
        return lines
