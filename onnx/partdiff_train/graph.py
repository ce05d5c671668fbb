"""The two networks as ONNX graphs, written node by node: opset 17, IR 8, dynamic batch and size.

Weights are stored in fp16, convolutions of the residual blocks in 8 bits with a factor for each output channel;
ONNX Runtime makes fp32 of them at load.
Pixel-unshuffle becomes SpaceToDepth, whose different channel order is made up for in the first convolution's weights.
"""

from typing import Any, cast

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from .network import CEILING, Block, Condition, Denoiser, Encoder, NetworkShape

OPSET, IR = 17, 8

LEVELS = 127
"""The largest weight of an output channel in 8 bits."""

Shape = list[str | int]
"""Sizes of the axes of an input or output; a name for a size that varies."""


class Graph:
    """Collects nodes and initialisers; each method adds nodes and returns the output's name."""

    def __init__(self, small: bool = True) -> None:
        """`small`: store weights in fewer bits than fp32."""
        self.small = small
        self.nodes: list[onnx.NodeProto] = []
        self.initialisers: list[onnx.TensorProto] = []

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        output = output or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], name=output, **attributes))
        return output

    def constant(self, value: np.ndarray) -> str:
        name = f"constant_{len(self.initialisers)}"
        self.initialisers.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def weight(self, value: np.ndarray, inner: bool) -> str:
        if not self.small:
            return self.constant(value)
        if not inner:
            return self.add("Cast", self.constant(value.astype(np.float16)), to=TensorProto.FLOAT)
        whole, factor = eight_bits(value)
        return self.add("Mul", self.add("Cast", self.constant(whole), to=TensorProto.FLOAT), self.constant(factor))

    def conv(self, x: str, layer: nn.Conv2d, weight: np.ndarray | None = None, inner: bool = False) -> str:
        """`weight`: instead of the layer's. `inner`: inside a residual block."""
        kernel = array(layer.weight) if weight is None else weight
        inputs = (x, self.weight(kernel, inner), self.constant(array(layer.bias)))
        side, stride, padding = layer.kernel_size[0], layer.stride[0], layer.padding[0]
        strides: dict[str, Any] = {"strides": [stride, stride]} if stride > 1 else {}
        return self.add("Conv", *inputs, kernel_shape=[side, side], pads=[int(padding)] * 4, **strides)

    def silu(self, x: str) -> str:
        return self.add("Mul", x, self.add("Sigmoid", x))

    def block(self, x: str, layer: Block, bias: str) -> str:
        hidden = self.add("Add", self.conv(x, layer.conv1, inner=True), bias)
        hidden = self.silu(self.add("Clip", hidden, "", self.constant(np.array(CEILING, np.float32))))
        return self.add("Add", x, self.conv(hidden, layer.conv2, inner=True))

    def trunk(self, x: str, layers: nn.ModuleList, biases: list[str]) -> str:
        """The residual blocks `layers`, one after another, each with its bias."""
        for layer, bias in zip(cast(list[Block], layers), biases):
            x = self.block(x, layer, bias)
        return x

    def condition(self, value: str, layer: Condition) -> list[str]:
        """value [N] -> the blocks' biases, each [N, F, 1, 1]."""
        v = self.add("Unsqueeze", value, self.constant(np.array([1])))
        square = self.add("Mul", v, v)
        powers = self.add("Concat", v, square, self.add("Mul", square, v), self.add("Sqrt", v), axis=1)
        inner, outer = layer.inner, layer.outer
        hidden = self.silu(self.gemm(powers, array(inner.weight), array(inner.bias)))
        parts = zip(np.split(array(outer.weight), layer.blocks), np.split(array(outer.bias), layer.blocks))
        axes = self.constant(np.array([2, 3]))
        return [self.add("Unsqueeze", self.gemm(hidden, w, b), axes) for w, b in parts]

    def gemm(self, x: str, weight: np.ndarray, bias: np.ndarray) -> str:
        return self.add("Gemm", x, self.weight(weight, inner=False), self.constant(bias), transB=1)

    def model(self, inputs: dict[str, Shape], outputs: dict[str, Shape]) -> onnx.ModelProto:
        """The finished model; onnx.checker.ValidationError if it is invalid."""
        info = lambda d: [helper.make_tensor_value_info(k, TensorProto.FLOAT, v) for k, v in d.items()]
        graph = helper.make_graph(self.nodes, "partdiff", info(inputs), info(outputs), self.initialisers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="partdiff")
        model.ir_version = IR
        onnx.checker.check_model(model)
        return model


def array(parameter: Tensor | None) -> np.ndarray:
    assert parameter is not None, "every layer has a bias"
    return parameter.detach().cpu().float().numpy()


def eight_bits(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[o, i, h, w] -> the same in int8, and the factor of each output channel [o, 1, 1, 1] in fp32."""
    peak = np.abs(weight).max(axis=(1, 2, 3), keepdims=True)
    factor = (np.where(peak > 0, peak, 1) / LEVELS).astype(np.float32)
    return np.round(weight / factor).astype(np.int8), factor


def colour_innermost(kernel: np.ndarray, shape: NetworkShape) -> np.ndarray:
    """[o, i, 3, 3]: SpaceToDepth puts the colour innermost, pixel-unshuffle outermost."""
    c, area = shape.image_channels, shape.scale**2
    return kernel.reshape(-1, c, area, 3, 3).swapaxes(1, 2).reshape(-1, c * area, 3, 3)


def colour_outermost(kernel: np.ndarray, shape: NetworkShape) -> np.ndarray:
    """The inverse of `colour_innermost`."""
    c, area = shape.image_channels, shape.scale**2
    return kernel.reshape(-1, area, c, 3, 3).swapaxes(1, 2).reshape(-1, c * area, 3, 3)


def encoder_graph(encoder: Encoder, small: bool = True) -> onnx.ModelProto:
    """lr [n, C, h, w], level [n] -> features [n, F, h, w]."""
    g = Graph(small)
    x = first = g.conv("lr", encoder.head)
    if (wide := encoder.wide) is not None:
        y = g.trunk(g.conv(first, wide.down), wide.blocks, g.condition("level", wide.level))
        x = g.add("Add", first, g.add("DepthToSpace", g.conv(y, wide.up), blocksize=2, mode="CRD"))
    x = g.trunk(x, encoder.blocks, g.condition("level", encoder.level))
    g.add("Add", g.conv(x, encoder.tail), first, output="features")
    channels, width = encoder.head.in_channels, encoder.head.out_channels
    return g.model({"lr": ["n", channels, "h", "w"], "level": ["n"]}, {"features": ["n", width, "h", "w"]})


def denoiser_graph(denoiser: Denoiser, small: bool = True) -> onnx.ModelProto:
    """z [n, C, H, W] with H = s h, features [n, F, h, w], t [n] -> residual [n, C, H, W]."""
    g, shape = Graph(small), denoiser.shape
    z = "z"
    if shape.aligned:
        rest = g.add("Sub", g.constant(np.array(1.0, np.float32)), "t")
        z = g.add("Mul", z, g.add("Unsqueeze", rest, g.constant(np.array([1, 2, 3]))))
    c, s = shape.image_channels, shape.scale
    x = g.conv(
        g.add("SpaceToDepth", z, blocksize=s), denoiser.head, colour_innermost(array(denoiser.head.weight), shape)
    )
    x = g.trunk(g.add("Add", x, "features"), denoiser.blocks, g.condition("t", denoiser.time))
    g.add("DepthToSpace", g.conv(x, denoiser.tail), blocksize=s, mode="CRD", output="residual")
    inputs: dict[str, Shape] = {"z": ["n", c, "H", "W"], "features": ["n", shape.width, "h", "w"], "t": ["n"]}
    return g.model(inputs, {"residual": ["n", c, "H", "W"]})
