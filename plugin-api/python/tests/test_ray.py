"""Many files through a Ray cluster of two nodes on this machine, with an object store of its own."""

from __future__ import annotations

import hashlib
import io
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
ray = pytest.importorskip("ray", reason='Ray is not installed: pip install "partdiff[ray]"')
moto = pytest.importorskip("moto.server", reason="moto is not installed: pip install moto[server]")
fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed")
pq = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")

from pyarrow import fs  # noqa: E402
from ray.cluster_utils import Cluster  # noqa: E402
from ray.util import placement_group, remove_placement_group  # noqa: E402

import partdiff  # noqa: E402
import partdiff.ray  # noqa: E402

Picture = Callable[..., NDArray[Any]]


NODE = {"num_cpus": 1, "object_store_memory": 200 << 20, "resources": {"place": 1}}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A head node with room for two actors, to which tests add nodes. An actor that asks for `place` takes one of two
    places there, or the only one of another node."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    cluster = Cluster(initialize_head=True, head_node_args=NODE | {"num_cpus": 2, "resources": {"place": 2}})
    ray.init(address=cluster.address, log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture(scope="module")
def store() -> Iterator[fs.S3FileSystem]:
    """An S3 server on this machine, with one bucket."""
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    store = fs.S3FileSystem(
        access_key="a",
        secret_key="b",
        region="us-east-1",
        scheme="http",
        endpoint_override=f"{host}:{port}",
        allow_bucket_creation=True,
    )
    store.create_dir("photos")
    yield store
    server.stop()


def png(array: NDArray[Any]) -> bytes:
    stored = io.BytesIO()
    Image.fromarray(array).save(stored, "png")
    return stored.getvalue()


def fill(store: fs.FileSystem, folder: str, picture: Picture, count: int, side: int = 24) -> list[str]:
    """Puts `count` different images below `folder`."""
    small = picture("uint8", 3, side, side)
    paths = []
    for number in range(count):
        path = f"{folder}/{number % 3}/{number}.png"
        if isinstance(store, fs.LocalFileSystem):
            store.create_dir(os.path.dirname(path))
        with store.open_output_stream(path) as stream:
            stream.write(png(np.roll(small, number, axis=1)))
        paths.append(path)
    return paths


def rows(store: fs.FileSystem, path: str) -> list[dict[str, Any]]:
    with store.open_input_file(path) as file:
        lines: list[dict[str, Any]] = pq.read_table(file).to_pylist()
        return lines


def test_a_folder_is_made_once_and_what_is_bad_is_told(
    cluster: Cluster, picture: Picture, command: Callable[..., str], tmp_path: Path
) -> None:
    local = fs.LocalFileSystem()
    paths = fill(local, str(tmp_path / "in"), picture, 4)
    (tmp_path / "in/0/broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    (tmp_path / "in/0/notes.txt").write_text("not an image")
    summary = partdiff.ray.upscale(tmp_path / "in", tmp_path / "out", device="cpu", scale=2, batch_size=2)
    assert (summary.done, summary.skipped, summary.failed) == (4, 0, 1)
    lines = {line["input"]: line for line in rows(local, summary.manifest)}
    broken = lines.pop(str(tmp_path / "in/0/broken.png"))
    assert broken["error"] and not broken["output"]
    assert sorted(lines) == sorted(paths)
    # As the command makes it, its record and all.
    command("upscale", paths[0], "-o", tmp_path / "0.png", "-s", 2, "--device", "cpu")
    assert Path(lines[paths[0]]["output"]).read_bytes() == (tmp_path / "0.png").read_bytes()
    command("verify", lines[paths[1]]["output"], paths[1], "--device", "cpu")
    for line in lines.values():
        data = Path(line["output"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == line["output_sha256"]
        assert (line["width"], line["height"], line["model"], line["error"]) == (48, 48, "natural-x4", "")
        assert hashlib.sha256(Path(line["input"]).read_bytes()).hexdigest() == line["input_sha256"]
    left = sorted(path.name for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert left == ["0.png", "1.png", "2.png", "3.png", "manifest.parquet"]
    # Again: only what failed, what changed and what went away.
    (tmp_path / "in/0/broken.png").write_bytes(png(picture("uint8")))
    Path(paths[1]).write_bytes(png(picture("uint8", 4)))
    Path(lines[paths[2]]["output"]).unlink()
    again = partdiff.ray.upscale(tmp_path / "in", tmp_path / "out", device="cpu", scale=2)
    assert (again.done, again.skipped, again.failed) == (3, 2, 0)
    assert len(rows(local, again.manifest)) == 5
    third = partdiff.ray.upscale(tmp_path / "in", tmp_path / "out", device="cpu", scale=2)
    assert (third.done, third.skipped) == (0, 5)
    # The same through a file system of fsspec.
    other = partdiff.ray.upscale(
        paths[:1], tmp_path / "other", filesystem=fsspec.filesystem("file"), device="cpu", scale=2
    )
    assert (other.done, other.failed) == (1, 0)
    assert (tmp_path / "other/0.png").read_bytes() == (tmp_path / "0.png").read_bytes()


def test_a_node_is_lost_and_no_file_is(
    cluster: Cluster, store: fs.S3FileSystem, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = fill(store, "photos/small", picture, 24, 240)
    # With one place of the head taken, each node has one actor, until the other node is lost.
    taken = placement_group([{"place": 1}])
    assert taken.wait(60)
    node = cluster.add_node(**NODE)
    cluster.wait_for_nodes()
    # Both actors are there before the first file.
    monkeypatch.setattr(ray.data.DataContext.get_current(), "wait_for_min_actors_s", 120)
    lost, ended = threading.Event(), threading.Event()

    def at_work() -> set[str]:
        noted = store.get_file_info(fs.FileSelector("photos/large/.partdiff-parts", allow_not_found=True))
        return {line["node"] for info in noted for line in rows(store, info.path)}

    def lose() -> None:
        while not ended.wait(0.3):
            if node.node_id in (nodes := at_work()) and len(nodes) == 2:
                remove_placement_group(taken)
                cluster.remove_node(node, allow_graceful=False)
                lost.set()
                return

    thread = threading.Thread(target=lose, daemon=True)
    thread.start()
    summary = partdiff.ray.upscale(
        "photos/small",
        "photos/large",
        filesystem=store,
        device="cpu",
        threads=1,
        actors=2,
        batch_size=2,
        ray_remote_args={"resources": {"place": 1}},
    )
    ended.set()
    thread.join(60)
    assert lost.is_set(), "all was made before the second node had made any"
    assert (summary.done, summary.skipped, summary.failed) == (24, 0, 0)
    lines = rows(store, "photos/large/manifest.parquet")
    assert sorted(line["input"] for line in lines) == sorted(paths)
    assert len({line["node"] for line in lines}) == 2
    assert set(Counter(line["output"] for line in lines).values()) == {1}
    found = store.get_file_info(fs.FileSelector("photos/large", recursive=True))
    objects = sorted(info.path for info in found if info.type == fs.FileType.File)
    assert objects == sorted([*(line["output"] for line in lines), "photos/large/manifest.parquet"])
    for line in lines:
        with store.open_input_stream(line["output"]) as stream:
            assert hashlib.sha256(stream.read()).hexdigest() == line["output_sha256"]


def test_what_cannot_be_begun_says_why(cluster: Cluster, store: fs.S3FileSystem, picture: Picture) -> None:
    paths = fill(store, "photos/few", picture, 2)
    with pytest.raises(FileNotFoundError, match="the bucket nowhere does not exist"):
        partdiff.ray.upscale(paths, "nowhere/large", filesystem=store)
    with pytest.raises(FileNotFoundError, match="the bucket nowhere does not exist"):
        partdiff.ray.upscale("nowhere/small", "photos/x", filesystem=store)
    with pytest.raises(FileNotFoundError, match="photos/none"):
        partdiff.ray.upscale("photos/none", "photos/x", filesystem=store)
    with pytest.raises(partdiff.InvalidArgumentError, match="one result"):
        partdiff.ray.upscale(["photos/a.png", "photos/a.jpg"], "photos/x", filesystem=store, format="png")
    with pytest.raises(Exception, match="scal"):
        partdiff.ray.upscale(paths, "photos/x", filesystem=store, device="cpu", scal=2)
    # A file that is none, in a list: its own failure.
    dataset = ray.data.from_items([{"path": path} for path in [*paths, "photos/few/none.png"]])
    summary = partdiff.ray.upscale(dataset, "photos/y", filesystem=store, device="cpu")
    assert (summary.done, summary.failed) == (2, 1)
