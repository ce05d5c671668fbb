"""The damage estimator: a small network that tells the clean-up level of an image, and its blur, from a few crops.

The program makes numbers for the whole image of them, so tiles stay exact. The network is trained on the batches of
`train`: it learns the level that the damage of a patch was bounded by, and how wide its blur was.
"""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .batches import MARGIN, Batch, BatchSource
from .damage import blurred_or_noisy
from .dataset import Store
from .errors import InputError
from .export import ESTIMATOR, TOLERANCE, digest, round_to_eight_bits
from .graph import Graph, array
from .network import conv3x3
from .pixels import from_bytes
from .resample import mean_around
from .restore import read_manifest, schedule_of, write_manifest

SIDE = 64
"""Of the crops that the program shows the network, in pixels."""

WHOLE = 120
"""Side of the patches of every second new batch, in pixels: what several crops tell together."""

WIDTHS = ((32, 1), (32, 2), (64, 1), (64, 2), (96, 1), (96, 2))
"""Channels and stride of the convolutions."""

HIDDEN = 48
"""Features of the image that the level is told from."""

GREY = 0.2
"""Share of samples without colour, which else passes for damage: black-and-white photographs are clean too."""

ALONE = 0.2
"""Share of samples with blur or noise alone."""

BATCH, RATE = 16, 2e-3

REPEATS, KEPT = 2, 200
"""After each new batch, REPEATS of the last KEPT are shown again, rotated: drawing one takes three times as long as
learning from it."""

WEIGHT_OF_BLUR = 0.4
"""Of errors of the blur, in pixels, beside those of the level."""

MOST_BLUR = 3.0
"""Largest blur that is told, in pixels."""

AROUND = 5
"""Side of the square whose mean every pixel is compared with: damage is in fine detail."""

GAIN = 8.0
"""Brings that difference, a few levels of 255, to about 1."""


class Estimator(nn.Module):
    """lr [N, C, h, w] in [-1, 1], sides of 16 or more -> level [N], about 0 to 1, and blur [N], in pixels.

    bf16 would round noise away. The exported graph averages the features of all crops before the level is told, so that
    a crop that shows nothing does not tell a level of its own. It tells the blur of each; the program
    takes the median of the most detailed ones, since what is out of focus may be meant to be.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.layers = nn.ModuleList()
        for width, stride in WIDTHS:
            layer = conv3x3(channels, width)
            layer.stride = (stride, stride)
            self.layers.append(layer)
            channels = width
        self.inner = nn.Linear(channels, HIDDEN)
        self.level, self.blur = nn.Linear(HIDDEN, 1), nn.Linear(HIDDEN, 1)

    def features(self, lr: Tensor) -> Tensor:
        """lr [N, C, h, w] -> [N, F], the mean over each."""
        x = GAIN * (lr - mean_around(lr, AROUND))
        for layer in self.layers:
            x = F.relu(layer(x))
        return x.mean(dim=(2, 3))

    def told(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """features [N, F] -> level [N] and blur [N]."""
        x = F.relu(self.inner(features))
        return self.level(x)[:, 0], self.blur(x)[:, 0]

    def forward(self, lr: Tensor) -> tuple[Tensor, Tensor]:
        return self.told(self.features(lr))


@dataclass
class Examples:
    """lr [N, C, p, p] in [-1, 1]; level [N] in 0..1 and blur [N] in pixels, as they should be told."""

    lr: Tensor
    level: Tensor
    blur: Tensor

    def turned(self) -> "Examples":
        """Rotated by a multiple of 90 degrees, some without colour."""
        lr = torch.rot90(self.lr, int(torch.randint(4, ())), (2, 3))
        grey = torch.rand(len(lr), 1, 1, 1, device=lr.device) < GREY
        lr = torch.where(grey, lr.mean(dim=1, keepdim=True), lr)
        return Examples(lr.contiguous(memory_format=torch.channels_last), self.level, self.blur)


def examples(b: Batch) -> Examples:
    """The samples of a batch, a share of them with blur or noise alone instead."""
    photo = (b.x0 != b.u).any(dim=(1, 2, 3))
    made = Examples(b.lr.clone(), b.cleanup(), torch.where(photo, b.blur, 0.0))
    rand = lambda *shape: torch.rand(*shape, device=b.lr.device)
    alone = photo & (rand(len(b.lr)) < ALONE)
    if alone.any():
        hr = (127.5 * (b.x0[alone] + 1)).round()
        lr, made.level[alone], made.blur[alone] = blurred_or_noisy(hr, (b.lr.shape[2], b.lr.shape[3]), rand)
        made.lr[alone] = from_bytes(lr)
    return made


def wrong(found: Tensor, level: Tensor) -> Tensor:
    """Absolute errors [N]. The program clips levels to 0..1, so for clean images any level below 0 is right."""
    return torch.where(level == 0, found.clamp(min=0), (found - level).abs())


def trained(
    store: Store, minutes: float | None, device: str, sources: list[BatchSource], iterations: int | None = None
) -> tuple[Estimator, int]:
    """A network after that many minutes or iterations, and the number of its iterations."""
    torch.manual_seed(0)
    network = Estimator(store.hr.shape[1]).to(device).to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(network.parameters(), RATE)
    began, iteration, recent = time.monotonic(), 0, np.zeros(2)
    kept: list[Examples] = []
    spent = lambda: (time.monotonic() - began) / (60 * minutes) if minutes else iteration / (iterations or 1)
    while (progress := spent()) < 1:
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1.0, 2 * (1 - progress))
        if iteration % (1 + REPEATS) == 0:
            batch = iteration // (1 + REPEATS)
            shown = examples(sources[batch % len(sources)].draw(batch))
            kept = [*kept, shown][-KEPT:]
        else:
            shown = kept[int(torch.randint(len(kept), ()))]
        shown = shown.turned()
        level, blur = network(shown.lr)
        errors = wrong(level, shown.level).mean(), wrong(blur, shown.blur).mean()
        loss = errors[0] + WEIGHT_OF_BLUR * errors[1]
        loss.backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        iteration += 1
        recent += (np.array([error.item() for error in errors]) - recent) / min(iteration, 100)
        if iteration % 100 == 0:
            level, blur = recent
            print(f"{iteration:6d}  level {level:.3f}  blur {blur:.3f}  progress {progress:.3f}", flush=True)
    return network.cpu().eval(), iteration


def graph(network: Estimator) -> onnx.ModelProto:
    """lr [n, C, h, w], crops of one image -> level [1], 0 to 1, and blur [n], in pixels."""
    g = Graph()
    mean = g.add("AveragePool", "lr", kernel_shape=[AROUND, AROUND], pads=[AROUND // 2] * 4)
    x = g.add("Sub", "lr", mean)
    x = g.add("Mul", x, g.constant(np.array(GAIN, np.float32)))
    for layer in network.layers:
        assert isinstance(layer, nn.Conv2d)
        x = g.add("Relu", g.conv(x, layer, inner=True))
    x = g.add("Flatten", g.add("GlobalAveragePool", x))
    number = lambda value: g.constant(np.array(value, np.float32))
    mean = g.add("ReduceMean", x, axes=[0], keepdims=1)
    told = (mean, network.level, 1.0, "level"), (x, network.blur, MOST_BLUR, "blur")
    for features, last, most, output in told:
        hidden = g.add("Relu", g.gemm(features, array(network.inner.weight), array(network.inner.bias)))
        made = g.add("Squeeze", g.gemm(hidden, array(last.weight), array(last.bias)), g.constant(np.array([1])))
        g.add("Clip", made, number(0.0), number(most), output=output)
    first = network.layers[0]
    assert isinstance(first, nn.Conv2d)
    return g.model({"lr": ["n", first.in_channels, "h", "w"]}, {"level": [1], "blur": ["n"]})


@torch.no_grad()
def add(bundle: Path, store: Store, minutes: float | None, device: str, iterations: int | None = None) -> None:
    """Trains an estimator on a store, for `minutes` or `iterations`, and writes it into a bundle."""
    manifest = read_manifest(bundle)
    channels = store.hr.shape[1]
    if (manifest["channels"], manifest["scale"]) != (channels, store.scale):
        raise InputError(
            f"{bundle}: takes images of {manifest['channels']} channels, {manifest['scale']} times larger; "
            f"{store.directory} holds {channels} channels, {store.scale} times"
        )
    if store.lr.shape[-1] < SIDE + MARGIN:
        raise InputError(
            f"{store.directory}: low-resolution images of {store.lr.shape[-1]} pixels; {SIDE + MARGIN} needed"
        )
    whole = min(WHOLE, store.lr.shape[-1] - MARGIN)
    sources = [
        BatchSource(store, schedule_of(manifest), batch, side, seed)
        for seed, (batch, side) in enumerate(((BATCH, SIDE), (BATCH // 2, whole)), start=2)
    ]
    began = time.monotonic()
    with torch.enable_grad():
        network, made_iterations = trained(store, minutes, device, sources, iterations)
    spent = round((time.monotonic() - began) / 60, 1)
    for layer in network.layers:
        assert isinstance(layer, nn.Conv2d)
        round_to_eight_bits(layer)
    for linear in (network.inner, network.level, network.blur):
        linear.weight.data = linear.weight.data.half().float()
    with tempfile.TemporaryDirectory(dir=bundle) as scratch:
        file = Path(scratch, ESTIMATOR)
        onnx.save(graph(network), file)
        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        lr = sources[0].draw(made_iterations).lr.cpu()[:, :, : SIDE - 2]
        features = network.features(lr)
        # All together, and each by itself: a clipped level alone could hide a wrong graph.
        together = network.told(features.mean(dim=0, keepdim=True))[0]
        level, blur = network.told(features)
        told = torch.cat([together, level]).clamp(0, 1), torch.cat([blur, blur]).clamp(0, MOST_BLUR)
        made = [session.run(None, {"lr": crops.numpy()}) for crops in (lr, *lr.split(1))]
        error = max(np.abs(np.concatenate([m[i] for m in made]) - told[i].numpy()).max() for i in (0, 1))
        if error > TOLERANCE:
            raise ValueError(f"ONNX Runtime differs from PyTorch by {error:.2e}; at most {TOLERANCE:.0e} is allowed")
        file.replace(bundle / ESTIMATOR)
    names = {"input": "lr", "output": "level", "blur": "blur"}
    entry = {"file": ESTIMATOR, "sha256": digest(bundle / ESTIMATOR), **names, "side": SIDE}
    # Read again: training takes minutes.
    manifest = read_manifest(bundle)
    manifest["training"] |= {"estimator_iterations": made_iterations, "estimator_minutes": spent}
    write_manifest(bundle, manifest | {"estimator": entry})
    print(f"{bundle}: estimator after {made_iterations} iterations")
