"""A tiny network trains, resumes, exports and runs in ONNX Runtime, on a tiny dataset."""

import copy
import json
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from partdiff_train.batches import BatchSource
from partdiff_train.bundle import Bundle
from partdiff_train.checkpoint import average, load_weights, save_weights
from partdiff_train.configs import NATURAL_X4
from partdiff_train.dataset import INTERPOLATED, Store, crops, prepare, read_archives, source, zero_filled
from partdiff_train.errors import InputError
from partdiff_train.export import digest, export, round_weights
from partdiff_train.network import PartialDiffusion
from partdiff_train.objective import Objective
from partdiff_train.one_step import OneStep
from partdiff_train.resample import upsample
from partdiff_train.texture import Recipe, Texture
from partdiff_train.train import Trainer
from partdiff_train.validate import upscale


def test_training_beats_bicubic(run):
    _, _, about = load_weights(run / "weights.pt")
    measures = about["record"]["validation"]
    assert measures["psnr1"] > measures["bicubic"] + 0.2


def test_resumed_run_is_the_same(store_directory, tiny, tmp_path):
    """Weights, averages, optimisers and data order: 6 iterations at once equal 3 and 3."""
    store = Store(store_directory)
    whole = Trainer(tiny, store, tmp_path / "whole", "cpu")
    for i in range(6):
        whole.step(i / 6)
    first = Trainer(tiny, store, tmp_path / "halves", "cpu")
    for i in range(3):
        first.step(i / 6)
    first.save()
    second = Trainer(tiny, store, tmp_path / "halves", "cpu", seed=0)
    assert second.resume() and second.iteration == 3
    for i in range(3, 6):
        second.step(i / 6)
    for key, value in whole.average.items():
        assert torch.equal(value, second.average[key]), key


def test_other_shapes_begin_where_they_fit(run, archive, tiny, tmp_path):
    """A network for another scale takes the encoder and the blocks, not the latent's ends."""
    other = replace(tiny, shape=replace(tiny.shape, scale=2))
    prepare([archive], tmp_path / "store", scale=2, channels=3, size=128)
    trainer = Trainer(other, Store(tmp_path / "store"), tmp_path, "cpu")
    head = trainer.network.denoiser.head.weight.clone()
    trainer.begin_from(run / "weights.pt")
    network, _, _ = load_weights(run / "weights.pt")
    assert torch.equal(trainer.network.encoder.tail.weight, network.encoder.tail.weight)
    assert torch.equal(trainer.average["denoiser.head.weight"], head)


def begun_texture(run, store_directory, directory, perceptual, config, **recipe) -> Texture:
    store = Store(store_directory)
    return Texture(run / "weights.pt", config, store, directory, "cpu", perceptual, Recipe(width=8, **recipe))


def test_texture_changes_the_sampler_more_than_one_step(run, store_directory, perceptual, tiny, tmp_path):
    """The network stays that of the weights; the encoder learns from the release on, and LPIPS is measured."""
    other = replace(NATURAL_X4, batch=tiny.batch, patch=tiny.patch)
    begin = lambda name, **recipe: begun_texture(run, store_directory, tmp_path / name, perceptual, other, **recipe)
    held, freed = begin("held", release=1.0), begin("freed", release=0.5)
    for texture in (held, freed):
        texture.run(iterations=20)
    was, now, later = (load_weights(d / "weights.pt")[0].state_dict() for d in (run, held.directory, freed.directory))
    changed = lambda state: {key.split(".")[0] for key, value in was.items() if not torch.equal(value, state[key])}
    assert changed(now) == {"denoiser"} and changed(later) == {"denoiser", "encoder"}
    before, after = (load_weights(d / "weights.pt")[2]["record"]["validation"] for d in (run, held.directory))
    assert after["psnr1"] == pytest.approx(before["psnr1"], abs=0.5)
    assert after["psnr4"] != before["psnr4"]
    assert {"lpips1", "lpips2", "lpips4", "jpeg2", "jpeg4"} <= set(after)


def test_the_eye_teaches(run, store_directory, perceptual, tiny, tmp_path, monkeypatch):
    """What LPIPS measures on a batch falls, with nothing but it in the loss."""
    alone = {"adversarial": 0.0, "matching": 0.0, "squared": 0.0, "chroma": 0.0, "anchor": 0.0, "grain": 0.0}
    config = replace(tiny, batch=8)
    texture = begun_texture(run, store_directory, tmp_path, perceptual, config, force=((2, 1.0),), lr=2e-3, **alone)
    # The same batch in every iteration: which ones a run draws depends on its weights, to the last bit.
    batch = texture.source.draw(0)
    monkeypatch.setattr(texture.source, "draw", lambda iteration: batch)
    rows = [texture.step(i / 90)["lpips"] for i in range(60)]
    assert np.mean(rows[-15:]) < 0.97 * np.mean(rows[:15])


def test_the_best_weights_are_kept(run, store_directory, perceptual, tiny, tmp_path):
    texture = begun_texture(run, store_directory, tmp_path, perceptual, tiny)
    texture.save()
    first = (tmp_path / "best.pt").read_bytes()
    texture.best = 0.0
    texture.step(0.0)
    texture.save()
    assert (tmp_path / "best.pt").read_bytes() == first != (tmp_path / "weights.pt").read_bytes()


def test_a_second_run_goes_on_with_the_discriminator_of_the_first(run, store_directory, perceptual, tiny, tmp_path):
    """On other patches, and the encoder learns from the start; the record counts both runs."""
    first = begun_texture(run, store_directory, tmp_path / "first", perceptual, tiny)
    first.run(iterations=2)
    weights, store = first.directory / "weights.pt", Store(store_directory)
    begin = lambda width: Texture(
        weights, tiny, store, tmp_path / "second", "cpu", perceptual, Recipe(width=width), critic=first.directory
    )
    second = begin(8)
    for key, value in first.critic.state_dict().items():
        assert torch.equal(value, second.critic.state_dict()[key]), key
    assert second.recipe.release == 0.0 and second.source.seed != first.source.seed
    second.run(iterations=1)
    assert load_weights(tmp_path / "second/weights.pt")[2]["record"]["texture_iterations"] == 3
    with pytest.raises(InputError, match=r"state\.pt: holds no discriminator of this kind"):
        begin(16)


def test_a_run_resumes_from_any_iteration(run, store_directory, perceptual, tiny, tmp_path):
    """Even just before a line of the log, when not every number of steps has occurred again."""
    force = ((2, 1.0), (3, 1.0), (4, 1.0))
    begin = lambda: begun_texture(run, store_directory, tmp_path, perceptual, tiny, force=force)
    first = begin()
    first.iteration = 99
    first.save()
    second = begin()
    assert second.resume()
    second.run(iterations=101)
    lines = (tmp_path / "log.txt").read_text().splitlines()
    assert [line.split()[4:6] for line in lines if " lpips " in line] == [["2", "steps"]]


def test_one_step_is_brought_back_and_the_others_are_held(run, store_directory, perceptual, tiny, tmp_path):
    """After texture, squared error of one step falls; at two steps the prediction hardly moves."""
    store = Store(store_directory)
    texture = begun_texture(run, store_directory, tmp_path / "texture", perceptual, tiny, lr=2e-3)
    texture.run(iterations=20)
    back = OneStep(tmp_path / "texture/weights.pt", tiny, store, tmp_path / "one", "cpu", perceptual)
    before, encoder = copy.deepcopy(back.average), copy.deepcopy(back.network.encoder.state_dict())
    rows = [back.step(i / 120) for i in range(120)]
    mean = lambda part, key: np.mean([row[key] for row in part])
    assert mean(rows[-20:], "error") < mean(rows[:20], "error")
    assert mean(rows, "change") < 0.3 * mean(rows, "error")
    assert any(not torch.equal(value, before[key]) for key, value in back.average.items())
    for key, value in back.network.encoder.state_dict().items():
        assert torch.equal(value, encoder[key]), key
    back.save()
    _, _, about = load_weights(tmp_path / "one/weights.pt")
    assert about["record"]["one_step_iterations"] == 120 and "texture_iterations" in about["record"]


def test_resumed_texture_is_the_same(run, store_directory, perceptual, tiny, tmp_path):
    """Networks, critic, optimisers, the best measure and the random numbers: 6 iterations equal 3 and 3."""

    def begin(name: str, **recipe) -> Texture:
        return begun_texture(run, store_directory, tmp_path / name, perceptual, tiny, **{"release": 0.2, **recipe})

    whole, first, second = begin("whole"), begin("halves"), begin("halves")
    for i in range(6):
        whole.step(i / 6)
    for i in range(3):
        first.step(i / 6)
    first.save()
    assert second.resume() and second.iteration == 3 and second.best == first.best < 10
    for i in range(3, 6):
        second.step(i / 6)
    for key, value in whole.average.items():
        assert torch.equal(value, second.average[key]), key
    with pytest.raises(InputError, match=r"another recipe \(texture\.release was"):
        begin("halves", release=0.5).resume()
    export(run / "weights.pt", tmp_path / "bundle", "1.0.0", "")
    recipe, store = whole.recipe, Store(store_directory)
    other = Texture(tmp_path / "bundle", tiny, store, tmp_path / "halves", "cpu", perceptual, recipe)
    with pytest.raises(InputError, match=r"another recipe \(.*weights was"):
        other.resume()
    (tmp_path / "halves/state.pt").write_text("junk")
    with pytest.raises(InputError, match=r"state\.pt: expected state\.pt of a run"):
        other.resume()


def test_a_deeper_and_wider_network_begins_as_the_other(run, store_directory, tiny, tmp_path):
    """New blocks add nothing at first; after some training the bundle has an even multiple and an exact halo."""
    shape = replace(tiny.shape, denoiser_blocks=2, wide_blocks=2)
    trainer = Trainer(replace(tiny, shape=shape), Store(store_directory), tmp_path, "cpu")
    trainer.begin_from(run / "weights.pt")
    network, schedule, _ = load_weights(run / "weights.pt")
    lr = torch.rand(3, 12, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    for steps in (1, 3):
        expected, got = (upscale(n, schedule, lr, steps, level=0.4) for n in (network, trainer.averaged()))
        np.testing.assert_allclose(got, expected, atol=1e-5)
    trainer.run(iterations=10)
    export(tmp_path / "weights.pt", tmp_path / "bundle", "1.0.0", "")
    bundle = Bundle(tmp_path / "bundle")
    assert bundle.manifest["size_multiple"] == 2
    restored, _, _ = load_weights(tmp_path / "bundle")
    network, _, _ = load_weights(tmp_path / "weights.pt")
    round_weights(network)
    for key, value in network.state_dict().items():
        assert torch.equal(value, restored.state_dict()[key]), key
    assert bundle.upscale(lr[:, :11, :15].numpy()).shape == (3, 44, 60)
    wide = np.random.default_rng(7).uniform(-1, 1, (3, 10, 80)).astype(np.float32)
    reach = set()
    for column in (40, 41):
        other = wide.copy()
        other[:, :, column] += 0.5
        changed = np.flatnonzero(np.abs(bundle.encode(wide, 0.5) - bundle.encode(other, 0.5)).max(axis=(0, 1, 2)) > 0)
        reach |= {column - changed.min(), changed.max() - column}
    assert max(reach) == bundle.manifest["encoder"]["halo"]


def test_what_v_says_is_the_residual(tiny):
    """v = cos eps - sin r gives r back at every step."""
    schedule = replace(tiny.schedule, prediction="v")
    objective = Objective(schedule, "cpu")
    r, eps = torch.randn(2, schedule.start_step, 3, 4, 4)
    step = torch.arange(1, schedule.start_step + 1)
    z = objective.latent(r, eps, step)
    cos, sin = ((x * objective.scale)[step].view(-1, 1, 1, 1) for x in (objective.signal, objective.noise))
    assert torch.allclose(cos**2 + sin**2, torch.ones(1))
    v = cos * eps - sin * r
    torch.testing.assert_close(objective.residual(v, z, step), r)


def test_the_sampler_takes_v(tiny):
    """A denoiser that returns the v of a known residual makes the sampler return that residual."""
    schedule = replace(tiny.schedule, prediction="v")
    objective = Objective(schedule, "cpu")
    lr, r = torch.rand(3, 2, 2), torch.randn(1, 3, 8, 8)

    def denoiser(z, features, t):
        step = (t * schedule.start_step).round().long()
        signal, noise = (values[step].view(-1, 1, 1, 1) for values in (objective.signal, objective.noise))
        scale = objective.scale[step].view(-1, 1, 1, 1)
        eps = (z / scale - signal * r) / noise
        return scale * (signal * eps - noise * r)

    network: Any = SimpleNamespace(encoder=lambda lr, level: None, denoiser=denoiser, shape=tiny.shape)
    for steps in (1, 4, 40):
        expected = upsample(lr, 4) + schedule.residual_std * r[0]
        np.testing.assert_allclose(upscale(network, schedule, lr, steps), expected, atol=1e-4)


def test_export_refuses_v(run, tmp_path):
    content = torch.load(run / "weights.pt", weights_only=True)
    content["schedule"]["prediction"] = "v"
    torch.save(content, tmp_path / "weights.pt")
    with pytest.raises(InputError, match="bundles predict the residual"):
        export(tmp_path / "weights.pt", tmp_path / "bundle", "1.0.0", "")


def test_held_out_photographs_are_not_trained_on(store_directory, tmp_path):
    """No part of a measured photograph is trained on, nor any slice of a measured subject."""
    for part in store_directory.iterdir():
        if part.name != "names.txt":
            (tmp_path / part.name).symlink_to(part)

    def store(*names: str) -> Store:
        (tmp_path / "names.txt").write_text("\n".join(names) + "\n")
        return Store(tmp_path)

    parts = store("sea_a_0.jpg", "sea_a_1.jpg", "sea_b_0.jpg", "sea_b_1.jpg", "sea_c_0.jpg", "sea_c_1.jpg")
    assert parts.held_sources == ["sea_a"] and parts.train.tolist() == [2, 3, 4, 5]
    assert [parts.names[i] for i in parts.held_out] == ["sea_a_0.jpg", "sea_a_1.jpg"]
    with pytest.raises(InputError, match="all images are of sea"):
        store(*(f"sea_{i}.png" for i in range(6)))
    assert [source(n, 3) for n in ("12.png", "a/sea.png", "sea_x.png")] == ["12", "sea", "sea_x"]
    assert source("adi_T1_021.png", 1) == source("adi_T2_3.png", 1) == "adi"


def test_bundle_equals_pytorch(run, bundle):
    """The exported bundle gives what the network gives, at sizes that it never saw."""
    network, schedule, _ = load_weights(run / "weights.pt")
    round_weights(network)
    lr = np.random.default_rng(5).uniform(-1, 1, (3, 13, 22)).astype(np.float32)
    for steps, spacing in ((1, "uniform"), (3, "uniform"), (3, "quadratic")):
        expected = upscale(network, schedule, torch.from_numpy(lr), steps, level=0.3, spacing=spacing)
        noise = [np.random.default_rng(0).standard_normal(expected.shape)]
        for form in ("residual", "image"):
            got = Bundle(bundle).upscale(lr, steps, level=0.3, noise=noise, form=form, spacing=spacing)
            np.testing.assert_allclose(got, expected, atol=1e-4)


def test_bundle_gives_its_weights_back(run, bundle):
    network, schedule, _ = load_weights(run / "weights.pt")
    round_weights(network)
    restored, again, about = load_weights(bundle)
    assert (restored.shape, again, about["name"]) == (network.shape, schedule, "tiny")
    for key, value in network.state_dict().items():
        assert torch.equal(value, restored.state_dict()[key]), key


def test_one_step_does_not_depend_on_the_noise(bundle):
    lr = np.random.default_rng(6).uniform(-1, 1, (3, 9, 9)).astype(np.float32)
    b = Bundle(bundle)
    assert np.array_equal(b.upscale(lr, 1, seed=1), b.upscale(lr, 1, seed=2))
    assert not np.array_equal(b.upscale(lr, 2, seed=1), b.upscale(lr, 2, seed=2))


def test_halos_are_exact(bundle):
    """A changed pixel reaches as far as the halo, and no further."""
    b = Bundle(bundle)
    m = b.manifest
    lr = np.random.default_rng(7).uniform(-1, 1, (3, 9, 40)).astype(np.float32)
    other = lr.copy()
    other[:, :, 20] += 0.5
    changed = np.abs(b.encode(lr, 0.5) - b.encode(other, 0.5)).max(axis=(0, 1, 2)) > 0
    assert np.flatnonzero(changed).min() == 20 - m["encoder"]["halo"]
    features, z = b.encode(lr, 0.5), np.zeros((3, 36, 160))
    bumped = z.copy()
    bumped[..., 80] += 1
    changed = np.abs(b.denoise(z, features, 0.5) - b.denoise(bumped, features, 0.5)).max(axis=(0, 1)) > 0
    assert np.flatnonzero(changed).min() == 4 * (20 - m["denoiser"]["halo"])


@pytest.mark.parametrize("name", ["tiny", "natural-x4", "natural-x4-int8", "mri-x4"])
def test_files_match_their_manifest(name, bundle):
    directory = bundle if name == "tiny" else Path(__file__).parents[1] / "models" / name
    manifest = json.loads((directory / "model.json").read_text())
    assert next(iter(manifest)) == "format" and manifest["name"] == name
    assert sum(path.stat().st_size for path in directory.iterdir()) < 8e6
    for part in ("encoder", "denoiser"):
        path = directory / manifest[part]["file"]
        assert manifest[part]["sha256"] == digest(path)
        model = onnx.load(path)
        assert model.ir_version == 8 and model.opset_import[0].version == 17
        for value in (*model.graph.input, *model.graph.output):
            dims = value.type.tensor_type.shape.dim
            assert all(dims[axis].dim_param for axis in range(len(dims)) if axis != 1), (part, value.name)
        assert {i.name for i in model.graph.input} == set(manifest[part]["inputs"].values())
        # The factors of weights in 8 bits have four axes too.
        kernels = [i for i in model.graph.initializer if len(i.dims) == 4 and i.dims[2] == 3]
        allowed = {onnx.TensorProto.INT8, onnx.TensorProto.FLOAT16}
        assert {i.data_type for i in kernels} == allowed
    if estimator := manifest.get("estimator"):
        path = directory / estimator["file"]
        assert estimator["sha256"] == digest(path)
        assert [i.name for i in onnx.load(path).graph.input] == [estimator["input"]]


def test_export_records_the_training_sentence(bundle, tmp_path):
    """A bundle exported again takes the new sentence and version; without one it keeps its own."""
    for begun, directory, given in ((bundle, tmp_path / "a", "another"), (tmp_path / "a", tmp_path / "b", "")):
        export(begun, directory, "2.0.0", given)
        manifest = json.loads((directory / "model.json").read_text())
        assert (manifest["version"], manifest["training"]["summary"]) == ("2.0.0", "another")
        assert sorted(path.name for path in directory.iterdir()) == ["denoiser.onnx", "encoder.onnx", "model.json"]
        for name in ("denoiser.onnx", "encoder.onnx"):
            # Rounded weights are not rounded again.
            assert digest(directory / name) == digest(bundle / name)


def test_patterns_are_drawn(store_directory, tiny):
    """Some are tiles of few dots; the residual of all of them is 0."""
    store = Store(store_directory)
    source = BatchSource(store, tiny.schedule, 64, 16)
    batch = source.draw(0)
    pattern = (batch.x0 == batch.u).flatten(1).all(dim=1)
    assert 0 < pattern.sum() < 32
    dots = source._dots(torch.Size((64, 3, 16, 16)), lambda *shape: torch.rand(*shape))
    tiled = (dots == dots.roll(4, 2)).flatten(1).all(dim=1)
    assert 8 < tiled.sum() < 40


def test_slices_are_downsampled_in_their_own_ways(archive, tiny, tmp_path):
    """One-channel samples are cut in k-space, or thick along one axis, or neither, and none is blurred."""
    prepare([archive], tmp_path, scale=4, channels=1, size=128)
    store = Store(tmp_path)
    assert store.kinds == ["cubic", "kspace", "thick"] and store.lr.shape[0] == 3
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert not (store.lr[one] == store.lr[other]).flatten(1).all(dim=1).any()
    for kind, share in ((1, 0.4), (2, 0.2)):
        marked = Store(tmp_path)
        marked.lr[kind] = 0
        batch = BatchSource(marked, tiny.schedule, 64, 16).draw(0)
        assert batch.lr.shape == (64, 1, 16, 16) and batch.x0.shape == (64, 1, 64, 64)
        black = (batch.lr[batch.level == 0] == -1).flatten(1).all(dim=1).float().mean()
        assert share / 2 < black < share + 0.2


def beyond(image: np.ndarray, band: int) -> float:
    """Root mean square of k-space beyond a band of rows."""
    rows = np.abs(np.fft.fft2(image))[band // 2 + 1 : image.shape[0] - band // 2]
    return float(np.sqrt((rows**2).mean()))


def test_slices_are_stored_as_scanners_interpolate_too(archive, tmp_path):
    """Two of three slices are there again, with as much k-space in more pixels, and about as many crops."""
    prepare([archive], tmp_path, scale=4, channels=1, size=128)
    store = Store(tmp_path)
    whole = dict(read_archives([archive], 1))
    assert set(store.names) == set(whole)
    expected = 0
    for i, image in enumerate(whole.values()):
        expected += len(crops(image, 128))
        if (factor := INTERPOLATED[i % 3]) > 1:
            expected += math.ceil(len(crops(zero_filled(image, factor), 128)) / factor**2)
    assert len(store.names) == expected
    image = whole[store.names[0]]
    for factor in (2, 4):
        large = zero_filled(image, factor)[0].astype(float)
        assert large.shape == (factor * image.shape[1], factor * image.shape[2])
        repeated = image[0].repeat(factor, axis=0).repeat(factor, axis=1).astype(float)
        assert beyond(large, image.shape[1]) < 0.2 * beyond(repeated, image.shape[1])
        # Shrunk by its mean it is close to the slice.
        small = large.reshape(image.shape[1], factor, image.shape[2], factor).mean(axis=(1, 3))
        assert np.abs(small - image[0]).mean() < 5


def test_weights_are_averaged_by_their_shares(run, tiny, tmp_path):
    network, _, about = load_weights(run / "weights.pt")
    other = {name: value + 1 for name, value in network.state_dict().items()}
    save_weights(tmp_path / "other.pt", tiny, other, {"iterations": 7})
    files = [run / "weights.pt", tmp_path / "other.pt"]
    average(files, [1.0, 3.0], tmp_path / "mean.pt")
    mean, _, record = load_weights(tmp_path / "mean.pt")
    assert record == about
    for name, value in mean.state_dict().items():
        assert torch.allclose(value, network.state_dict()[name] + 0.75, atol=1e-5)
    with pytest.raises(InputError, match="1 numbers for 2 files"):
        average(files, [1.0], tmp_path / "mean.pt")
    wider = PartialDiffusion(replace(tiny.shape, width=64))
    save_weights(tmp_path / "wide.pt", replace(tiny, shape=wider.shape), wider.state_dict(), {})
    with pytest.raises(InputError, match="another shape or schedule"):
        average([*files, tmp_path / "wide.pt"], [1.0, 1.0, 1.0], tmp_path / "mean.pt")
