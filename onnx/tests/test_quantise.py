"""The int8 variant of a bundle."""

import json

import numpy as np
import onnx

from partdiff_train.bundle import Bundle
from partdiff_train.export import digest
from partdiff_train.quantise import outermost, quantise


def test_int8_is_nearly_the_same(bundle, store_directory, tmp_path):
    """Inner convolutions in int8, the outermost not; the image within a level of 255 on average."""
    quantise(bundle, store_directory, tmp_path)
    manifest = json.loads((tmp_path / "model.json").read_text())
    assert (manifest["name"], manifest["metrics"]) == ("tiny-int8", {})
    for part in ("encoder", "denoiser"):
        assert manifest[part]["sha256"] == digest(tmp_path / f"{part}.onnx")
        model = onnx.load(tmp_path / f"{part}.onnx")
        made_by = {output: node for node in model.graph.node for output in node.output}
        convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
        int8 = {
            node.name
            for node in convolutions
            if node.input[1] in made_by and made_by[node.input[1]].op_type == "DequantizeLinear"
        }
        assert int8 == {node.name for node in convolutions} - set(outermost(model)), part
        kernels = [i for i in model.graph.initializer if len(i.dims) == 4]
        assert {i.data_type for i in kernels} == {onnx.TensorProto.INT8, onnx.TensorProto.FLOAT16}
    lr = np.random.default_rng(8).uniform(-1, 1, (3, 12, 1)).astype(np.float32).repeat(18, axis=2)
    expected, got = (Bundle(directory).upscale(lr, 2, level=0.3, seed=1) for directory in (bundle, tmp_path))
    off = np.abs(got - expected)
    assert 0 < off.mean() < 2 / 255
