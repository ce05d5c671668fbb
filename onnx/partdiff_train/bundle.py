"""Runs a bundle in ONNX Runtime with the sampling loop of `sampler.py`, on the whole image at once."""

from pathlib import Path

import numpy as np
import onnxruntime
import torch

from . import resample
from .restore import read_manifest, schedule_of
from .sampler import sample_image, sample_residual, timesteps

CROPS = 16
"""Of an image, from the most detailed down, from which its damage is estimated."""

SMALLEST = 16
"""Side of an image, in pixels, from which on damage can be told."""

WORTHWHILE = 0.3
"""Lower levels count as none: light damage is less than what clean-up of it costs."""


class Bundle:
    """A directory with model.json; `upscale` mirrors what the runtime does, without tiles."""

    def __init__(self, directory: Path, threads: int = 0):
        self.manifest = m = read_manifest(directory)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        # Without it the 16-bit sums of int8 networks overflow on x86 processors that lack VNNI.
        options.add_session_config_entry("session.x64quantprecision", "1")
        load = lambda part: onnxruntime.InferenceSession(
            directory / m[part]["file"], options, providers=["CPUExecutionProvider"]
        )
        self.encoder, self.denoiser = load("encoder"), load("denoiser")
        self.estimator = load("estimator") if "estimator" in m else None
        self.scale, self.std = m["scale"], m["prediction"]["scale"]
        self.schedule, self.multiple = schedule_of(m), m["size_multiple"]

    def upsample(self, lr: np.ndarray) -> np.ndarray:
        """lr [C, h, w] -> u [C, sh, sw] float32."""
        return resample.upsample(torch.from_numpy(lr).double(), self.scale).float().numpy()

    def level(self, lr: np.ndarray) -> float:
        """lr [C, h, w] in [-1, 1] -> the level that its damage was bounded by; 0 without an estimator."""
        h, w = lr.shape[1:]
        if self.estimator is None or min(h, w) < SMALLEST:
            return 0.0
        side = self.manifest["estimator"]["side"]
        height, width = min(side, h), min(side, w)
        starts = lambda length, part: [(length % part) // 2 + part * i for i in range(length // part)]
        crops = [lr[:, y : y + height, x : x + width] for y in starts(h, height) for x in starts(w, width)]
        # Edges show blur, flat places noise and JPEG blocks.
        ranked = sorted(crops, key=lambda crop: -crop.std(dtype=np.float64))
        count = min(CROPS, len(ranked))
        chosen = [ranked[i * len(ranked) // count] for i in range(count)]
        return float(self.estimator.run(None, {"lr": np.stack(chosen)})[0].mean(dtype=np.float64))

    def encode(self, lr: np.ndarray, level: float) -> np.ndarray:
        """lr [C, h, w] in [-1, 1], level 0..1 -> features [1, F, h, w]."""
        feeds = {"lr": lr[None], "level": np.array([level], np.float32)}
        return self.encoder.run(None, feeds)[0]

    def denoise(self, z: np.ndarray, features: np.ndarray, t: float) -> np.ndarray:
        """-> residual x0 - u [C, sh, sw] in image units."""
        feeds = {"z": z[None].astype(np.float32), "features": features, "t": np.array([t], np.float32)}
        return self.denoiser.run(None, feeds)[0][0] * self.std

    def upscale(
        self,
        lr: np.ndarray,
        steps: int = 1,
        level: float = 0.0,
        seed: int = 0,
        eta: float = 0.0,
        spacing: str | None = None,
        noise: list[np.ndarray] | None = None,
        form: str = "residual",
        multistep: bool = False,
    ) -> np.ndarray:
        """lr [C, h, w] float32 in [-1, 1] -> [C, sh, sw], not yet clipped; see `sampler.py` for the options.

        `spacing`: default: the manifest's. `noise`: for sides that are multiples of the manifest's.
        """
        h, w = lr.shape[1:]
        lr = np.pad(lr, ((0, 0), (0, -h % self.multiple), (0, -w % self.multiple)), mode="edge")
        u, features = self.upsample(lr), self.encode(lr, level)
        if noise is None:
            rng = np.random.default_rng(seed)
            noise = [rng.standard_normal(u.shape) for _ in range(steps if eta > 0 else 1)]
        ts = timesteps(self.schedule.start_step, steps, spacing or self.manifest["defaults"]["spacing"])
        predict = lambda z, t: self.denoise(z, features, t)
        if form == "image":
            made = sample_image(predict, u, self.schedule, ts, noise, eta)
        else:
            made = sample_residual(predict, u, self.schedule, ts, noise, eta, multistep)
        return made[:, : h * self.scale, : w * self.scale]
