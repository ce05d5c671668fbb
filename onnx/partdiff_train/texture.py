"""Adversarial fine-tuning of the few-step sampler: texture within a budget of decibels.

Regression smooths what it cannot know, and a small network turns only part of the latent's noise into
texture. Here the sampler runs as in the program, and its last step also learns from a discriminator
that sees pairs of (picture, upsampled input). The weight of the discriminator is steered so that the
error stays a chosen number of decibels above that of one step. The step at t = K stays plain
regression, and the encoder is left as it is: one step gives what it gave before. Samples to be
cleaned up stay plain regression at every step.

Relativistic pairing as in Jolicoeur-Martineau (arXiv 1807.00734); the gradient penalty is approximated
by the change under a little noise (Lin et al., arXiv 2501.08316).
"""

import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import checkpoint, optimiser, running
from .batches import Batch, BatchSource
from .configs import Config
from .dataset import Store
from .network import Denoiser
from .sampler import timesteps
from .train import has_bf16
from .validate import validate


ANCHOR_AT_START = 0.7
"""Share of samples at t = K in the loss that anchors the network."""


@dataclass(frozen=True)
class Recipe:
    """`budget`: numbers of steps -> decibels that their error may lie above that of one step.

    `anchor`: weight of the loss that keeps one step plain regression; all weights are shared between steps.
    """

    budget: tuple[tuple[int, float], ...] = ((2, 0.5), (4, 1.1), (8, 2.0))
    lr: float = 2e-4
    critic_lr: float = 3e-4
    width: int = 64
    penalty: float = 20.0
    penalty_every: int = 4
    disturbance: float = 0.05
    matching: float = 1.0
    anchor: float = 4.0
    ema: float = 0.999


class Critic(nn.Module):
    """picture and u [N, C, H, W] in [-1, 1] -> (score [N, 1, H/4, W/4], features of each layer)."""

    def __init__(self, channels: int, width: int):
        super().__init__()
        conv = lambda a, b, size, stride: nn.Conv2d(a, b, size, stride, (size - 1) // 2)  # noqa: E731
        self.layers = nn.ModuleList(
            (
                conv(2 * channels, width, 4, 2),
                conv(width, width * 3 // 2, 4, 2),
                conv(width * 3 // 2, width * 3 // 2, 3, 1),
            )
        )
        self.score = conv(width * 3 // 2, 1, 3, 1)

    def forward(self, picture: Tensor, u: Tensor) -> tuple[Tensor, list[Tensor]]:
        # What the model adds is small; scaled to about unit variance it is seen at once.
        x = torch.cat([8 * (picture - u), u], dim=1).contiguous(memory_format=torch.channels_last)
        features = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
            features.append(x)
        return self.score(x), features


class Texture:
    """One run in `folder`: weights.pt (averaged) and log.txt."""

    def __init__(self, weights: Path, config: Config, store: Store, folder: Path, device: str, recipe: Recipe = Recipe()):
        torch.manual_seed(0)
        network, schedule, about = checkpoint.load_weights(weights)
        store.expect(network.shape)
        folder.mkdir(parents=True, exist_ok=True)
        self.network = network.to(device, memory_format=torch.channels_last)
        self.network.encoder.requires_grad_(False)
        self.critic = Critic(network.shape.image_channels, recipe.width).to(device, memory_format=torch.channels_last)
        # Batch and patch are the configuration's, all else that of the weights.
        self.config = replace(config, name=about["name"], shape=network.shape, schedule=schedule)
        self.schedule, self.about, self.recipe = schedule, about, recipe
        self.store, self.folder, self.device, self.bf16 = store, folder, device, has_bf16(device)
        self.source = BatchSource(store, schedule, config.batch, config.patch, seed=1)
        self.average = {k: v.clone() for k, v in network.state_dict().items()}
        self.optimisers = optimiser.make(network.denoiser, recipe.lr, muon=False)
        self.critic_optimiser = torch.optim.AdamW(self.critic.parameters(), recipe.critic_lr, betas=(0.5, 0.95))
        table = lambda x: torch.tensor(x, dtype=torch.float32, device=device)  # noqa: E731
        self.signal, self.noise = table(schedule.signal), table(schedule.noise)
        self.scale, self.weight = table(schedule.input_scale), table(schedule.loss_weight)
        self.force = {steps: 0.3 * steps for steps, _ in recipe.budget}
        self.iteration, self.began = 0, time.monotonic()

    def predict(self, denoiser: Denoiser, z: Tensor, features: Tensor, t: int) -> Tensor:
        """z at t, not yet scaled -> residual of unit variance."""
        fraction = torch.full((len(z),), t / self.schedule.start_step, device=self.device)
        return denoiser(z * self.scale[t], features, fraction).float()

    def sample(self, b: Batch, features: Tensor, steps: int) -> tuple[Tensor, Tensor]:
        """The sampler (DDIM, eta 0); gradients come from the last step. -> residual of step one, and of the last."""
        ts = timesteps(self.schedule.start_step, steps)
        z = self.noise[ts[0]] * b.eps
        with torch.no_grad():
            first = r = self.predict(self.network.denoiser, z, features, ts[0])
            for t, s in zip(ts, ts[1:-1]):
                z = self.signal[s] * r + self.noise[s] * (z - self.signal[t] * r) / self.noise[t]
                if s != ts[-2]:
                    r = self.predict(self.network.denoiser, z, features, s)
        return first, self.predict(self.network.denoiser, z, features, ts[-2])

    def denoising(self, b: Batch, r: Tensor, features: Tensor) -> Tensor:
        """The loss of `train`, most of it at t = K, so that one step stays what it is."""
        at = lambda values: values[step][:, None, None, None]  # noqa: E731
        share = torch.rand(len(r), device=self.device)
        step = torch.where(share < ANCHOR_AT_START, self.schedule.start_step, b.step)
        z = (at(self.signal) * r + at(self.noise) * b.eps) * at(self.scale)
        predicted = self.network.denoiser(z, features, step / self.schedule.start_step).float()
        return (at(self.weight) * (predicted - r) ** 2).mean()

    def critic_loss(self, real: Tensor, fake: Tensor, u: Tensor) -> Tensor:
        pair = torch.cat([real, fake])
        scores = self.critic(pair, torch.cat([u, u]))[0].float()
        loss = F.softplus(scores[len(u) :] - scores[: len(u)]).mean()
        if self.iteration % self.recipe.penalty_every == 0:
            noisy = pair + self.recipe.disturbance * torch.randn_like(pair)
            change = self.critic(noisy, torch.cat([u, u]))[0].float() - scores
            loss = loss + self.recipe.penalty * self.recipe.penalty_every * change.square().mean()
        return loss

    def step(self) -> dict[str, float]:
        steps, budget = self.recipe.budget[self.iteration % len(self.recipe.budget)]
        b = self.source.draw(self.iteration)
        self.iteration += 1
        std = self.schedule.residual_std
        r = (b.x0 - b.u) / std
        with torch.autocast(self.device, torch.bfloat16, enabled=self.bf16):
            with torch.no_grad():
                features = self.network.encoder(b.lr.contiguous(memory_format=torch.channels_last), b.level)
            first, made = self.sample(b, features, steps)
            fake = b.u + std * made
            # Of damaged pictures nobody can tell damage from texture: there the step stays regression.
            whole = b.level <= b.level.min()  # 0, unless a batch has none of these
            real, made_whole, u = b.x0[whole], fake[whole], b.u[whole]
            error, floor = ((x[whole] - r[whole]).square().mean() for x in (made, first))
            self.critic.requires_grad_(False)
            score, seen = self.critic(made_whole, u)
            with torch.no_grad():
                wanted, original = self.critic(real, u)
            # The rest tells how far the picture is from the original in what the critic looks at.
            distance = sum((a - o).abs().mean() / o.abs().mean() for a, o in zip(seen, original)).float()
            adversarial = F.softplus(wanted.float() - score.float()).mean() + self.recipe.matching * distance
            loss = (made - r).square().mean() + self.recipe.anchor * self.denoising(b, r, features)
            loss = loss + self.force[steps] * adversarial
            self.critic.requires_grad_(True)
        loss.backward()
        for o in self.optimisers:
            o.step()
            o.zero_grad(set_to_none=True)
        with torch.autocast(self.device, torch.bfloat16, enabled=self.bf16):
            critic_loss = self.critic_loss(real, made_whole.detach(), u)
        critic_loss.backward()
        self.critic_optimiser.step()
        self.critic_optimiser.zero_grad(set_to_none=True)
        spent = 10 * np.log10(error.item() / floor.item())
        self.force[steps] = float(np.clip(self.force[steps] * np.exp(0.02 * np.clip(budget - spent, -1, 1)), 1e-4, 10))
        running.follow(self.average, self.network, self.recipe.ema, self.iteration)
        return {"spent": spent, "critic": critic_loss.item(), "distance": distance.item(), "force": self.force[steps]}

    def run(self, minutes: float, every: float = 10.0) -> None:
        saved, rows = time.monotonic(), {steps: [] for steps, _ in self.recipe.budget}
        peak = [g["lr"] for o in (*self.optimisers, self.critic_optimiser) for g in o.param_groups]
        while (progress := (time.monotonic() - self.began) / (60 * minutes)) < 1:
            # Constant, then linear to nothing over the last third.
            groups = [g for o in (*self.optimisers, self.critic_optimiser) for g in o.param_groups]
            for group, rate in zip(groups, peak):
                group["lr"] = rate * min(1.0, 3 * (1 - progress))
            row = self.step()
            rows[self.recipe.budget[(self.iteration - 1) % len(rows)][0]].append(row)
            if self.iteration % 100 == 0:
                for steps, group in rows.items():
                    mean = {k: np.mean([x[k] for x in group]) for k in row}
                    self.log(f"{steps} steps  " + "  ".join(f"{k} {v:.3f}" for k, v in mean.items()))
                    group.clear()
            if time.monotonic() - saved > 60 * every:
                self.save()
                saved = time.monotonic()
        self.save()

    def log(self, text: str) -> None:
        running.log(self.folder, time.monotonic() - self.began, self.iteration, text)

    def save(self) -> None:
        network = type(self.network)(self.network.shape).to(self.device)
        network.load_state_dict(self.average)
        measures = validate(network.eval(), self.schedule, self.store, steps=(1, 2, 4, 8))
        self.log("valid " + "  ".join(f"{k} {v:.3f}" for k, v in measures.items()))
        record = self.about["record"] | {"texture_iterations": self.iteration, "validation": measures}
        checkpoint.save_weights(self.folder / "weights.pt", self.config, self.average, record)
