"""Writes src/runtime/canary.onnx: one 3x3 convolution, small enough to run wherever a provider is probed.

Run from the repository's root with `onnx` and `numpy` installed. All numbers are multiples of 1/8 below 2,
so that every provider, at any float precision down to TF32, gives the exact sum.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CHANNELS = 4

o, i, y, x = np.indices((CHANNELS, CHANNELS, 3, 3))
weight = (((o * 7 + i * 5 + y * 3 + x) % 11 - 5) / 8).astype(np.float32)
bias = (np.arange(CHANNELS) / 4).astype(np.float32)
graph = helper.make_graph(
    [helper.make_node("Conv", ["x", "weight", "bias"], ["y"], kernel_shape=[3, 3], pads=[1, 1, 1, 1])],
    "canary",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, CHANNELS, 8, 8])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, CHANNELS, 8, 8])],
    [numpy_helper.from_array(weight, "weight"), numpy_helper.from_array(bias, "bias")],
)
model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
onnx.checker.check_model(model)
onnx.save(model, "src/runtime/canary.onnx")
