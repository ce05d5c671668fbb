"""The discriminator: a small U-Net that judges every place of an image by itself and by what lies around it."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm


def conv(inputs: int, outputs: int, side: int = 3, stride: int = 1) -> nn.Module:
    """A convolution whose largest singular value is 1, which keeps the critic's slope bounded (arXiv 1802.05957)."""
    return spectral_norm(nn.Conv2d(inputs, outputs, side, stride, (side - 1) // 2))


class Critic(nn.Module):
    """image and u [N, C, H, W] in [-1, 1], H and W multiples of 8 -> (scores [N, 1, H/2, W/2], features of layers)."""

    def __init__(self, channels: int, width: int):
        super().__init__()
        self.head = conv(8 * channels, width)
        self.down = nn.ModuleList((conv(width, 3 * width // 2, 4, 2), conv(3 * width // 2, 2 * width, 4, 2)))
        self.middle = conv(2 * width, 2 * width)
        self.up = nn.ModuleList((conv(2 * width, 3 * width // 2), conv(3 * width // 2, width)))
        self.score = conv(width, 1)

    def forward(self, image: Tensor, u: Tensor) -> tuple[Tensor, list[Tensor]]:
        # What the model adds is small; at about unit variance the critic sees it from the start.
        x = F.pixel_unshuffle(torch.cat([8 * (image - u), u], dim=1), 2).contiguous(memory_format=torch.channels_last)
        act = lambda x: F.leaky_relu(x, 0.2)
        features = [act(self.head(x))]
        for layer in self.down:
            features.append(act(layer(features[-1])))
        x = act(self.middle(features[-1]))
        for layer, skipped in zip(self.up, features[-2::-1]):
            x = act(layer(F.interpolate(x, scale_factor=2, mode="bilinear"))) + skipped
        return self.score(x), features
