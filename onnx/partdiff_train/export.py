"""Writes a bundle: encoder.onnx, denoiser.onnx and model.json, verified in ONNX Runtime."""

import hashlib
import shutil
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn

from . import jpeg
from .checkpoint import load_weights
from .configs import named
from .errors import InputError
from .graph import denoiser_graph, eight_bits, encoder_graph
from .network import Block, PartialDiffusion
from .restore import read_manifest, write_manifest
from .schedule import Schedule

ESTIMATOR = "estimator.onnx"

LICENCE = "MIT OR Apache-2.0"
TOLERANCE = 1e-4
"""Largest accepted error of ONNX Runtime against PyTorch, relative to the peak of the output."""


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def round_to_eight_bits(layer: nn.Conv2d) -> None:
    """Rounds the weights as `graph.eight_bits` stores them."""
    whole, factor = eight_bits(layer.weight.detach().numpy())
    layer.weight.data = torch.from_numpy(whole * factor)


def round_weights(network: PartialDiffusion) -> None:
    """Rounds weights as they are stored: convolutions of blocks to 8 bits, the rest to fp16."""
    inner = {conv for block in network.modules() if isinstance(block, Block) for conv in (block.conv1, block.conv2)}
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module in inner:
            round_to_eight_bits(module)
        elif isinstance(module, (nn.Conv2d, nn.Linear)):
            module.weight.data = module.weight.data.half().float()


@torch.no_grad()
def verify(network: PartialDiffusion, directory: Path, trials: int = 4) -> float:
    """Largest relative error over random batches and sizes; raises ValueError beyond TOLERANCE."""
    sessions = [onnxruntime.InferenceSession(directory / f"{n}.onnx", providers=["CPUExecutionProvider"])
                for n in ("encoder", "denoiser")]  # fmt: skip
    rng, worst = np.random.default_rng(1), 0.0
    shape = network.shape
    for _ in range(trials):
        n, h, w = rng.integers(1, 4), *rng.integers(5, 70, 2) * shape.multiple
        lr = rng.uniform(-1, 1, (n, shape.image_channels, h, w)).astype(np.float32)
        z = rng.standard_normal((n, shape.image_channels, h * shape.scale, w * shape.scale)).astype(np.float32)
        level, t = rng.uniform(0, 1, (2, n)).astype(np.float32)
        features = sessions[0].run(None, {"lr": lr, "level": level})[0]
        output = sessions[1].run(None, {"z": z, "features": features, "t": t})[0]
        expected = network.encoder(torch.from_numpy(lr), torch.from_numpy(level))
        result = network.denoiser(torch.from_numpy(z), expected, torch.from_numpy(t))
        for got, want in ((features, expected.numpy()), (output, result.numpy())):
            worst = max(worst, float(np.abs(got - want).max() / np.abs(want).max()))
    if worst > TOLERANCE:
        raise ValueError(f"ONNX Runtime differs from PyTorch by {worst:.2e}; at most {TOLERANCE:.0e} is allowed")
    return worst


def manifest(
    network: PartialDiffusion, schedule: Schedule, directory: Path, name: str, version: str, training: dict
) -> dict:
    """The content of model.json; the runtime rejects unknown and missing fields."""
    shape = network.shape
    std = schedule.residual_std
    config = named(name)
    return {
        "format": 1,
        "name": name,
        "version": version,
        "licence": LICENCE,
        "description": config.description,
        "scale": shape.scale,
        "channels": shape.image_channels,
        "value_range": [-1, 1],
        "upsampler": {"kernel": "cubic", "a": -0.5},
        "schedule": {
            "kind": "linear",
            "timesteps": schedule.timesteps,
            "beta_start": schedule.beta_start,
            "beta_end": schedule.beta_end,
        },
        "start_step": schedule.start_step,
        "alignment": schedule.alignment,
        "prediction": {"type": "residual", "scale": std},
        "timestep_input": "fraction",
        "latent": "residual",
        "input_scaling": {"kind": "unit_variance", "residual_std": std},
        "conditioning": "features",
        "encoder": {
            "file": "encoder.onnx",
            "sha256": digest(directory / "encoder.onnx"),
            "inputs": {"lr": "lr", "level": "level"},
            "output": "features",
            "features": shape.width,
            "halo": shape.encoder_halo,
            "jpeg_quality": [jpeg.quality_of(0.0), jpeg.quality_of(1.0)],
        },
        "denoiser": {
            "file": "denoiser.onnx",
            "sha256": digest(directory / "denoiser.onnx"),
            "inputs": {"latent": "z", "conditioning": "features", "timestep": "t"},
            "output": "residual",
            "halo": shape.denoiser_halo,
        },
        "size_multiple": shape.multiple,
        "tiling": {"kind": "exact"},
        "defaults": {
            "steps": min(config.steps, schedule.start_step),
            "sampler": "ddim",
            "eta": 0.0,
            "spacing": config.spacing,
        },
        "presets": {preset.name: preset.entry(schedule.start_step) for preset in config.presets},
        "training": training,
        "metrics": {},
    }


def export(weights: Path, directory: Path, version: str, training: str) -> float:
    """Writes a bundle into `directory` and returns the largest relative error of ONNX Runtime against PyTorch.

    The directory changes only if the error is within TOLERANCE. `training`: a sentence for the manifest; if it is empty
    and `weights` is a bundle, the bundle's own is kept. A bundle's damage estimator goes along.
    """
    network, schedule, about = load_weights(weights)
    if schedule.prediction != "residual":
        raise InputError(
            f"{weights}: predicts {schedule.prediction}, which only the ablation uses; bundles predict the residual"
        )
    round_weights(network)
    encoder, denoiser = network.shape.flops()
    estimator = read_manifest(weights).get("estimator") if weights.is_dir() else None
    own = {k: v for k, v in about["record"].items() if estimator or not k.startswith("estimator_")}
    record = own | {
        "summary": training or about["record"].get("summary", ""),
        "date": time.strftime("%Y-%m-%d"),
        "parameters": sum(p.numel() for p in network.parameters()),
        "network": asdict(network.shape),
        "mflop_per_lr_pixel": {"encoder": round(encoder / 1e6, 3), "denoiser": round(denoiser / 1e6, 3)},
    }
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory) as scratch:
        made = Path(scratch)
        onnx.save(encoder_graph(network.encoder), made / "encoder.onnx")
        onnx.save(denoiser_graph(network.denoiser), made / "denoiser.onnx")
        worst = verify(network, made)
        content = manifest(network, schedule, made, about["name"], version, record)
        if estimator:
            shutil.copyfile(weights / estimator["file"], made / estimator["file"])
            content["estimator"] = estimator
        write_manifest(made, content)
        for path in made.iterdir():
            path.replace(directory / path.name)
    if not estimator:
        (directory / ESTIMATOR).unlink(missing_ok=True)
    print(f"{directory}: verified, largest relative error {worst:.1e}")
    return worst
