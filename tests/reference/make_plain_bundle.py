"""Writes tests/data/plain.partdiff: a denoiser alone, as SR3 has it (conditioned on the upsampled picture, epsilon
prediction, zero-based integer timesteps, full chain from pure noise).

It computes what a perfect denoiser would if the upsampled picture u were the truth,
eps = (x_t - sqrt(abar_t) u) / sqrt(1 - abar_t), so every correct sampling loop ends at u itself.
Run with: python make_plain_bundle.py (needs numpy and onnx).
"""

import hashlib
import json
import pathlib
import zipfile

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

STEPS, BETAS = 50, (0.001, 0.2)

alpha_bar = np.cumprod(1.0 - np.linspace(*BETAS, STEPS))
tables = {"signal": np.sqrt(alpha_bar), "inverse_noise": 1.0 / np.sqrt(1.0 - alpha_bar)}
nodes = []
for name in tables:
    nodes.append(helper.make_node("Gather", [f"{name}_table", "timestep"], [f"{name}_at"], axis=0))
    nodes.append(helper.make_node("Reshape", [f"{name}_at", "column"], [name]))
nodes += [
    helper.make_node("Mul", ["upsampled", "signal"], ["mean"]),
    helper.make_node("Sub", ["sample", "mean"], ["noise"]),
    helper.make_node("Mul", ["noise", "inverse_noise"], ["eps"]),
]
image = ["n", 3, "h", "w"]
graph = helper.make_graph(
    nodes,
    "plain",
    [
        helper.make_tensor_value_info("sample", TensorProto.FLOAT, image),
        helper.make_tensor_value_info("upsampled", TensorProto.FLOAT, image),
        helper.make_tensor_value_info("timestep", TensorProto.INT64, ["n"]),
    ],
    [helper.make_tensor_value_info("eps", TensorProto.FLOAT, image)],
    [numpy_helper.from_array(table.astype(np.float32), f"{name}_table") for name, table in tables.items()]
    + [numpy_helper.from_array(np.array([-1, 1, 1, 1]), "column")],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
checker.check_model(model, full_check=True)
denoiser = model.SerializeToString()
manifest = {
    "format": 1,
    "name": "plain",
    "version": "1",
    "licence": "CC0-1.0",
    "description": "Ends at the upsampled picture; for tests.",
    "scale": 2,
    "channels": 3,
    "value_range": [-1, 1],
    "upsampler": {"kernel": "cubic", "a": -0.5},
    "schedule": {"kind": "linear", "timesteps": STEPS, "beta_start": BETAS[0], "beta_end": BETAS[1]},
    "start_step": STEPS,
    "alignment": "none",
    "prediction": {"type": "epsilon", "scale": 1.0},
    "timestep_input": "index",
    "latent": "image",
    "input_scaling": {"kind": "none"},
    "conditioning": "upsampled",
    "denoiser": {
        "file": "denoiser.onnx",
        "sha256": hashlib.sha256(denoiser).hexdigest(),
        "inputs": {"latent": "sample", "conditioning": "upsampled", "timestep": "timestep"},
        "output": "eps",
        "halo": 0,
    },
    "size_multiple": 1,
    "tiling": {"kind": "exact"},
    "defaults": {"steps": STEPS, "sampler": "ddpm", "eta": 1.0, "spacing": "uniform"},
    "presets": {},
    "training": {},
    "metrics": {},
}
target = pathlib.Path(__file__).parent.parent / "data" / "plain.partdiff"
with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as bundle:
    for name, data in (("model.json", json.dumps(manifest, indent=2)), ("denoiser.onnx", denoiser)):
        bundle.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
print(target, target.stat().st_size, "bytes")
