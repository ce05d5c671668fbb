"""The two networks: an encoder that runs once per image and a denoiser that runs at every step.

Both work at LR resolution and use nothing but 3x3 convolutions, SiLU and per-channel biases, so
the receptive field is finite and small and tiling with halos is exact. Zero padding happens only
at the true image border.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class NetworkShape:
    """Channels should be multiples of 32, where ONNX Runtime's convolutions reach peak speed."""

    image_channels: int = 3
    scale: int = 4
    width: int = 96
    encoder_blocks: int = 7
    denoiser_blocks: int = 3
    aligned: bool = True
    wide_blocks: int = 0

    @property
    def encoder_halo(self) -> int:
        """LR pixels around an output pixel that it depends on."""
        # A block at half resolution reaches twice as far, and its pixel is two wide.
        return 2 + 2 * self.encoder_blocks + (4 * self.wide_blocks + 1 if self.wide_blocks else 0)

    @property
    def multiple(self) -> int:
        """LR sides must be multiples of it."""
        return 2 if self.wide_blocks else 1

    @property
    def denoiser_halo(self) -> int:
        return 2 + 2 * self.denoiser_blocks

    @property
    def packed(self) -> int:
        """Channels of the latent after pixel-unshuffle."""
        return self.image_channels * self.scale**2

    def flops(self) -> tuple[int, int]:
        """Floating-point operations per LR pixel (encoder, one denoiser step)."""
        conv = lambda a, b: 2 * 9 * a * b
        w = self.width
        encoder = conv(self.image_channels, w) + (2 * self.encoder_blocks + 1) * conv(w, w)
        if self.wide_blocks:
            # Per pixel of half resolution: 2x2 in, 1x1 out to four times the channels.
            encoder += (2 * self.wide_blocks * conv(w, w) + 2 * (4 + 4) * w * w) // 4
        return encoder, 2 * conv(self.packed, w) + 2 * self.denoiser_blocks * conv(w, w)


def conv3x3(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


CEILING = 3.0
"""Highest value that enters a SiLU. Photographs stay below it; without it, inputs that training does not show
(noise, checkerboards) grow from block to block without bound."""


class Block(nn.Module):
    """x [N, F, h, w] -> x + conv(SiLU(min(conv(x) + bias, CEILING))), bias [N, F]."""

    def __init__(self, width: int):
        super().__init__()
        self.conv1 = conv3x3(width, width)
        self.conv2 = conv3x3(width, width)
        with torch.no_grad():
            self.conv2.weight.mul_(0.2)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        hidden = self.conv1(x) + bias[:, :, None, None].to(x.dtype)
        return x + self.conv2(F.silu(hidden.clamp(max=CEILING)))


class Condition(nn.Module):
    """A scalar [N] in 0..1 -> one bias per channel for each block, [blocks] of [N, F]."""

    HIDDEN = 64

    def __init__(self, blocks: int, width: int):
        super().__init__()
        self.blocks = blocks
        self.inner = nn.Linear(4, self.HIDDEN)
        self.outer = nn.Linear(self.HIDDEN, blocks * width)

    def forward(self, value: Tensor) -> tuple[Tensor, ...]:
        powers = torch.stack([value, value**2, value**3, value**0.5], dim=1)
        return self.outer(F.silu(self.inner(powers))).chunk(self.blocks, dim=1)


class Wide(nn.Module):
    """x [N, F, h, w], level [N] -> what a few blocks at half resolution add to it, of the same shape; at first nothing.

    They see twice as far for a quarter of the cost: enough to follow a line or a pattern. h and w are even.
    """

    def __init__(self, blocks: int, width: int):
        super().__init__()
        self.down = nn.Conv2d(width, width, 2, stride=2)
        self.level = Condition(blocks, width)
        self.blocks = nn.ModuleList(Block(width) for _ in range(blocks))
        self.up = nn.Conv2d(width, 4 * width, 1)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)  # type: ignore[arg-type]  # it has a bias

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        x = self.down(x)
        for block, bias in zip(self.blocks, self.level(level)):
            x = block(x, bias)
        return F.pixel_shuffle(self.up(x), 2)


class Encoder(nn.Module):
    """lr [N, C, h, w] in [-1, 1], level [N] in 0..1 (0: keep all, 1: strongest clean-up) -> features [N, F, h, w]."""

    def __init__(self, shape: NetworkShape):
        super().__init__()
        self.head = conv3x3(shape.image_channels, shape.width)
        self.wide = Wide(shape.wide_blocks, shape.width) if shape.wide_blocks else None
        self.level = Condition(shape.encoder_blocks, shape.width)
        self.blocks = nn.ModuleList(Block(shape.width) for _ in range(shape.encoder_blocks))
        self.tail = conv3x3(shape.width, shape.width)

    def forward(self, lr: Tensor, level: Tensor) -> Tensor:
        x = first = self.head(lr)
        if self.wide is not None:
            x = x + self.wide(x, level)
        for block, bias in zip(self.blocks, self.level(level)):
            x = block(x, bias)
        return self.tail(x) + first


class Denoiser(nn.Module):
    """z [N, C, sh, sw] of unit variance, features [N, F, h, w], t [N] = step / K -> residual / residual_std.

    The signal in an aligned latent is proportional to 1 - t, so z is multiplied by it: the form of the linear
    estimator, and at t = 1 the prediction does not depend on the noise at all.
    """

    def __init__(self, shape: NetworkShape):
        super().__init__()
        self.shape = shape
        self.head = conv3x3(shape.packed, shape.width)
        self.time = Condition(shape.denoiser_blocks, shape.width)
        self.blocks = nn.ModuleList(Block(shape.width) for _ in range(shape.denoiser_blocks))
        self.tail = conv3x3(shape.width, shape.packed)
        with torch.no_grad():
            self.tail.weight.mul_(0.1)

    def forward(self, z: Tensor, features: Tensor, t: Tensor) -> Tensor:
        if self.shape.aligned:
            z = z * (1 - t)[:, None, None, None]
        x = self.head(F.pixel_unshuffle(z, self.shape.scale)) + features
        for block, bias in zip(self.blocks, self.time(t)):
            x = block(x, bias)
        return F.pixel_shuffle(self.tail(x), self.shape.scale)


class PartialDiffusion(nn.Module):
    """Both networks, trained together."""

    def __init__(self, shape: NetworkShape):
        super().__init__()
        self.shape = shape
        self.encoder = Encoder(shape)
        self.denoiser = Denoiser(shape)

    def forward(self, lr: Tensor, level: Tensor, z: Tensor, t: Tensor) -> Tensor:
        return self.denoiser(z, self.encoder(lr, level), t)
