"""Reads networks back from bundles, the inverse of `export`, and reads and writes the manifests of bundles."""

import json
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn

from .errors import InputError
from .graph import colour_outermost
from .network import Condition, Denoiser, Encoder, NetworkShape, PartialDiffusion
from .schedule import Schedule


def read_manifest(directory: Path) -> dict:
    """model.json of a bundle; InputError if it is missing or not JSON."""
    path = directory / "model.json"
    if not path.is_file():
        raise InputError(f"{directory}: not a bundle, it has no model.json")
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error


def write_manifest(directory: Path, manifest: dict) -> None:
    """Writes model.json into a bundle."""
    (directory / "model.json").write_text(json.dumps(manifest, indent=2) + "\n")


def schedule_of(manifest: dict) -> Schedule:
    """The noise schedule of a bundle."""
    s, std = manifest["schedule"], manifest["prediction"]["scale"]
    return Schedule(manifest["start_step"], manifest["alignment"], std, s["timesteps"], s["beta_start"], s["beta_end"])


def shape_of(manifest: dict) -> NetworkShape:
    """The shape of a bundle's networks. Those of older bundles are not recorded: their blocks follow from the halos."""
    if recorded := manifest["training"].get("network"):
        return NetworkShape(**recorded)
    blocks = lambda part: (manifest[part]["halo"] - 2) // 2
    return NetworkShape(
        image_channels=manifest["channels"],
        scale=manifest["scale"],
        width=manifest["encoder"]["features"],
        encoder_blocks=blocks("encoder"),
        denoiser_blocks=blocks("denoiser"),
        aligned=manifest["alignment"] != "none",
    )


def constants(graph: onnx.GraphProto, operator: str) -> list[list[np.ndarray]]:
    """The constant inputs (weight, bias) of every node of a kind, in the graph's order, in fp32."""
    held = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    for node in graph.node:
        # Weights in fewer bits: cast to fp32, those in 8 bits then multiplied by their factors.
        if node.op_type in ("Cast", "Mul") and all(name in held for name in node.input):
            first, *rest = (held[name].astype(np.float32) for name in node.input)
            held[node.output[0]] = first * rest[0] if rest else first
    return [[held[i].astype(np.float32) for i in n.input[1:]] for n in graph.node if n.op_type == operator]


def fill(part: Encoder | Denoiser, graph: onnx.GraphProto) -> None:
    """Loads the weights of a graph into an encoder or denoiser."""
    values = iter(constants(graph, "Gemm"))
    layers: list[tuple[nn.Conv2d | nn.Linear, list[np.ndarray]]] = []
    for condition in (m for m in part.modules() if isinstance(m, Condition)):
        inner, *outer = (next(values) for _ in range(1 + condition.blocks))
        layers += [(condition.inner, inner), (condition.outer, [np.concatenate(v) for v in zip(*outer)])]
    convolutions = [m for m in part.modules() if isinstance(m, nn.Conv2d)]
    # Modules are in order of definition; in the graph the tail is always last.
    convolutions = [m for m in convolutions if m is not part.tail] + [part.tail]
    layers += zip(convolutions, constants(graph, "Conv"), strict=True)
    for layer, (weight, bias) in layers:
        layer.load_state_dict(
            {"weight": torch.from_numpy(weight).view_as(layer.weight), "bias": torch.from_numpy(bias)}
        )


def load_bundle(directory: Path) -> tuple[PartialDiffusion, Schedule, dict]:
    """-> network in evaluation mode, schedule, {name, record}; InputError if `export` did not write the bundle."""
    manifest = read_manifest(directory)
    try:
        network = PartialDiffusion(shape_of(manifest))
        graphs = {part: onnx.load(directory / manifest[part]["file"]).graph for part in ("encoder", "denoiser")}
        fill(network.encoder, graphs["encoder"])
        fill(network.denoiser, graphs["denoiser"])
    except (KeyError, ValueError) as error:
        raise InputError(f"{directory}: not a bundle that `export` wrote; int8 variants cannot be read back") from error
    head = network.denoiser.head
    head.weight.data = torch.from_numpy(colour_outermost(head.weight.detach().numpy(), network.shape).copy())
    return network.eval(), schedule_of(manifest), {"name": manifest["name"], "record": manifest["training"]}
