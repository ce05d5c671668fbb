"""Training of the few-step sampler for the eye: texture and edges that people take for real.

Regression smooths what it cannot predict, and a small network turns only part of the latent's noise into texture.
Here the sampler runs as in the program, at even steps, and its last step learns from LPIPS (`perceptual.py`) and from a
discriminator that sees pairs of (image, upsampled input), on damaged images as on clean ones. Fine detail where the
original is flat has a loss of its own, and damaged samples are compared with cleaned originals (`targets.py`).
An anchor, the loss of `train` on the originals themselves, keeps one step plain regression and low t free of grain,
since all weights are shared between steps.

Relativistic pairing as in Jolicoeur-Martineau (arXiv 1807.00734).
"""

import shutil
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from . import checkpoint, optimiser, targets
from .batches import Batch, BatchSource
from .configs import Config
from .critic import Critic
from .dataset import Store
from .errors import InputError
from .perceptual import Lpips
from .running import Run, digest, follow, load_start
from .sampler import timesteps
from .taught import Taught

ANCHOR_AT_START = 0.5
"""Share of samples at t = K in the loss that anchors the network; the rest has the density of quadratic steps."""

CLEAN_BESIDE = 0.7
"""Share of clean samples among those that are not taught."""


@dataclass(frozen=True)
class Recipe:
    """`force`: pairs of (number of steps, weight of what the eye sees there: the four below it).

    `chroma`: weight of the squared error of colour, the error less its mean over channels: colour texture looks like
    specks. `release`: the progress of the run, 0..1, from which the encoder learns too, at `encoder` of the rate.
    `fall`: the share of the run, at its end, over which all rates fall to 0. `every`: LPIPS sees every n-th sample.
    `imitation`: weight of the absolute error of taught samples. `taught`: share of them, where there are any.
    """

    force: tuple[tuple[int, float], ...] = ((2, 2.5), (4, 4.0))
    perceptual: float = 16.0
    adversarial: float = 0.5
    matching: float = 0.1
    grain: float = 10.0
    squared: float = 0.2
    chroma: float = 0.8
    anchor: float = 1.5
    every: int = 1
    imitation: float = 1.5
    taught: float = 0.625
    lr: float = 4e-4
    encoder: float = 0.4
    release: float = 0.3
    fall: float = 1 / 3
    critic_lr: float = 3e-4
    width: int = 48
    ema: float = 0.999


def continued(recipe: Recipe) -> Recipe:
    """For a discriminator that has learnt. LPIPS hardly moves at a high rate, and falls with the rate."""
    return replace(recipe, lr=2.5e-4, release=0.0, fall=1.0)


def imitating(recipe: Recipe) -> Recipe:
    """With taught samples: the encoder learns from the start, since it is where damage goes."""
    return replace(recipe, lr=3e-4, release=0.0, fall=0.6, every=2)


class Texture(Run):
    """Trains the denoiser, and later the encoder, from the weights of another run."""

    def __init__(
        self,
        weights: Path,
        config: Config,
        store: Store,
        directory: Path,
        device: str,
        perceptual: Path,
        recipe: Recipe = Recipe(),
        fuse: bool = False,
        critic: Path | None = None,
        taught: Path | None = None,
    ):
        """`perceptual`: the directory that `perceptual.fetch` wrote. `fuse`: use torch.compile. `critic`: the directory
        of an earlier run, whose discriminator goes on learning. `taught`: the directory that `taught.make` wrote."""
        torch.manual_seed(0)
        network, config, record = load_start(weights, config)
        side, multiple = config.patch * store.scale, 8 * network.shape.multiple
        if side % multiple:
            raise InputError(f"--patch {config.patch}: {side} pixels of the result; expected a multiple of {multiple}")
        self.begun, self.best = digest(network.state_dict()), float("inf")
        # A second run sees other patches than the first.
        super().__init__(network, config, store, directory, device, seed=int(self.begun[:4], 16))
        self.about = record
        recipe = continued(recipe) if critic else recipe
        self.recipe = imitating(recipe) if taught else recipe
        self.taught = None
        if taught:
            n, schedule, seed = round(config.batch * recipe.taught), config.schedule, self.source.seed
            self.taught = Taught(taught, schedule, n, config.patch, seed, device)
            self.source = BatchSource(store, schedule, config.batch - n, config.patch, seed, CLEAN_BESIDE)
        self.VALIDATED = (1, *(steps for steps, _ in recipe.force))
        compiled = torch.compile if fuse else lambda module: module
        self.encoder, self.denoiser = compiled(self.network.encoder), compiled(self.network.denoiser)
        eye, self.judge = (Lpips(perceptual, name).to(device) for name in ("vgg16", "alexnet"))
        # Most of an iteration; between its convolutions as much time goes as in them.
        self.eye = compiled(eye)
        own = Critic(network.shape.image_channels, recipe.width)
        self.critic = own.to(device).to(memory_format=torch.channels_last)
        # After 180 iterations from the same weights, LPIPS was 2 % lower than with AdamW, and PSNR 0.3 dB higher.
        self.optimisers = optimiser.make(network.denoiser, recipe.lr, muon=True)
        self.encoder_optimisers = optimiser.make(network.encoder, recipe.lr, muon=True)
        self.critic_optimiser = torch.optim.AdamW(self.critic.parameters(), recipe.critic_lr, betas=(0.5, 0.95))
        if critic:
            state = checkpoint.read(critic / "state.pt", "state.pt of a run of `texture`")
            try:
                self.critic.load_state_dict(state["critic"])
                self.critic_optimiser.load_state_dict(state["critic_optimiser"])
            except (KeyError, RuntimeError, ValueError) as error:
                raise InputError(f"{critic / 'state.pt'}: holds no discriminator of this kind") from error

    def parts(self) -> dict:
        named = {name: getattr(self, name) for name in ("network", "critic", "critic_optimiser")}
        named |= {f"optimiser{i}": o for i, o in enumerate(self.optimisers)}
        return named | {f"encoder_optimiser{i}": o for i, o in enumerate(self.encoder_optimisers)}

    def state(self) -> dict:
        return super().state() | {"best": self.best}

    def restore(self, state: dict) -> None:
        super().restore(state)
        self.best = state["best"]

    def save(self) -> dict[str, float]:
        """As of every run; best.pt holds the weights of the lowest LPIPS, clean and after JPEG, at the taught steps."""
        measures = super().save()
        taught = [measures[f"{kind}{steps}"] for kind in ("lpips", "jpeg") for steps, _ in self.recipe.force]
        found = float(np.mean(taught))
        if found < self.best:
            self.best = found
            checkpoint.write(self.directory / "state.pt", self.state())
            shutil.copyfile(self.directory / "weights.pt", self.directory / "best.pt")
        return measures

    def fixed(self) -> dict:
        own = {"weights": self.begun, "texture": asdict(self.recipe)}
        return super().fixed() | own | ({"taught": len(self.taught.level)} if self.taught else {})

    def record(self) -> dict:
        before = lambda key: self.about.get(key, 0)
        return self.about | {
            "texture_iterations": before("texture_iterations") + self.iteration,
            "texture_minutes": round(before("texture_minutes") + self.elapsed / 60, 1),
        }

    def sample(self, b: Batch, features: Tensor, steps: int) -> Tensor:
        """The sampler (DDIM, eta 0, even steps), gradients from its last step -> the residual."""
        o, ts = self.objective, timesteps(self.config.schedule.start_step, steps)
        denoise = lambda z, t: self.denoiser(z, features, t)
        z = o.noise[ts[0]] * b.eps
        with torch.no_grad():
            for t, s in pairwise(ts[:-1]):
                z = o.ddim(z, o.predict(denoise, z, t), t, s)
        return o.predict(denoise, z, ts[-2])

    def denoising(self, b: Batch, r: Tensor, features: Tensor) -> Tensor:
        """The loss of `train`, half of it at t = K, to keep one step as it is, and much of it at low t."""
        o, k = self.objective, self.config.schedule.start_step
        share, place = torch.rand(2, len(r), device=self.device)
        step = torch.where(share < ANCHOR_AT_START, k, 1 + (k * place**2).long().clamp(max=k - 1))
        return o.loss(lambda z, t: self.denoiser(z, features, t), r, b.eps, step)

    def rates(self, progress: float) -> bool:
        """Sets the rates: constant, then linear to 0. Returns whether the encoder learns."""
        d = self.recipe
        fall = min(1.0, (1 - min(progress, 1.0)) / d.fall)
        of = (
            (self.optimisers, d.lr),
            (self.encoder_optimisers, d.lr * d.encoder),
            ([self.critic_optimiser], d.critic_lr),
        )
        for optimisers, peak in of:
            for group in (group for o in optimisers for group in o.param_groups):
                group["lr"] = peak * fall
        return progress >= d.release and d.encoder > 0

    def draw(self) -> tuple[Batch, Tensor, int]:
        """The batch of the iteration, what is wished for [N, C, sp, sp], and how many at its end are taught."""
        b = self.source.draw(self.iteration)
        wished = targets.cleaned(b.x0, b.cleanup())
        if not self.taught:
            return b, wished, 0
        more, taught = self.taught.draw(self.iteration)
        aim = targets.between(more.x0, targets.coloured(taught, more.x0), more.level)
        return b.and_also(more), torch.cat([wished, aim]), len(aim)

    def step(self, progress: float) -> dict[str, float]:
        d = self.recipe
        steps, force = d.force[self.iteration % len(d.force)]
        released = self.rates(progress)
        self.network.encoder.requires_grad_(released)
        # A function of the iteration, like the batches: a resumed run equals an uninterrupted one.
        torch.manual_seed(self.iteration)
        b, wished, learnt = self.draw()
        self.iteration += 1
        std = self.config.schedule.residual_std
        r = (b.x0 - b.u) / std
        with torch.autocast(self.device, torch.bfloat16, enabled=self.bf16):
            features = self.encoder(b.lr.contiguous(memory_format=torch.channels_last), b.level)
            made = self.sample(b, features, steps)
            fake = b.u + std * made
            self.critic.requires_grad_(False)
            score, features_made = self.critic(fake, b.u)
            with torch.no_grad():
                wanted, features_wished = self.critic(wished, b.u)
            # Distance between the image and the wished one in the critic's features.
            distance = sum(
                (a - w).abs().mean() / w.abs().mean() for a, w in zip(features_made, features_wished)
            ).float()
            adversarial = F.softplus(wanted.float() - score.float()).mean()
            some = slice(self.iteration % d.every, None, d.every)
            perceived = self.eye(fake[some], wished[some]).mean()
            grain = targets.grain(fake.float(), wished) / std
            wrong = made - (wished - b.u) / std
            coloured = wrong - wrong.mean(dim=1, keepdim=True)
            loss = d.squared * wrong.square().mean() + d.chroma * coloured.square().mean()
            loss = loss + d.anchor * self.denoising(b, r, features)
            imitated = wrong[-learnt:].abs().mean() if learnt else wrong.new_zeros(())
            seen = d.perceptual * perceived + d.adversarial * adversarial + d.matching * distance + d.grain * grain
            seen = seen + d.imitation * imitated
            loss = loss + force * seen
            self.critic.requires_grad_(True)
        loss.backward()
        for o in (*self.optimisers, *(self.encoder_optimisers if released else ())):
            o.step()
            o.zero_grad(set_to_none=True)
        critic_loss = self.teach_critic(b, wished, fake.detach())
        follow(self.average, self.network, d.ema, self.iteration)
        error = 10 * torch.log10(wrong.detach().square().mean())
        measures = {"lpips": perceived, "error": error, "critic": critic_loss, "distance": distance, "grain": grain}
        if learnt:
            measures["imitated"] = imitated
        return {"steps": steps} | {name: value.item() for name, value in measures.items()}

    def teach_critic(self, b: Batch, wished: Tensor, fake: Tensor) -> Tensor:
        """One update of the discriminator on wished and made images; returns its loss."""
        with torch.autocast(self.device, torch.bfloat16, enabled=self.bf16):
            scores = self.critic(torch.cat([wished, fake]), torch.cat([b.u, b.u]))[0].float()
            loss = F.softplus(scores[len(fake) :] - scores[: len(fake)]).mean()
        loss.backward()
        self.critic_optimiser.step()
        self.critic_optimiser.zero_grad(set_to_none=True)
        return loss.detach()

    def summary(self, rows: list[dict[str, float]]) -> list[str]:
        lines = []
        for steps in dict.fromkeys(row["steps"] for row in rows):
            group = [row for row in rows if row["steps"] == steps]
            mean = {k: np.mean([row[k] for row in group]) for k in group[0] if k != "steps"}
            lines.append(f"{steps} steps  " + "  ".join(f"{k} {v:.3f}" for k, v in mean.items()))
        return lines
