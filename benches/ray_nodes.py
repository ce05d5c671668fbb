"""How much faster two nodes of a Ray cluster on this machine are than one, each with one actor on one core.

ray_nodes.py [IMAGES [ROUNDS]] (in an environment with partdiff[ray] and Pillow)
"""

import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import ray
from PIL import Image
from ray.cluster_utils import Cluster

import partdiff.ray

IMAGES = int(sys.argv[1]) if len(sys.argv) > 1 else 48
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 3
SIDE = 160

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"


def measure(nodes: int, inputs: Path) -> float:
    """Seconds for all images, start of the actors included."""
    node = {"num_cpus": 2, "object_store_memory": 200 << 20, "resources": {"place": 1}}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    for _ in range(nodes - 1):
        cluster.add_node(**node)
    ray.init(address=cluster.address, log_to_driver=False)
    try:
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.wait_for_min_actors_s = 60
        with tempfile.TemporaryDirectory() as output:
            start = time.monotonic()
            summary = partdiff.ray.upscale(
                inputs,
                output,
                device="cpu",
                threads=1,
                actors=nodes,
                batch_size=4,
                ray_remote_args={"resources": {"place": 1}},
            )
            seconds = time.monotonic() - start
        assert (summary.done, summary.failed) == (IMAGES, 0)
        return seconds
    finally:
        ray.shutdown()
        cluster.shutdown()


photo = np.asarray(Image.open(Path(__file__).parent.parent / "tests/data/house.png").convert("RGB"))
with tempfile.TemporaryDirectory() as folder:
    for index in range(IMAGES):
        y, x = index * 17 % (photo.shape[0] - SIDE), index * 31 % (photo.shape[1] - SIDE)
        Image.fromarray(photo[y : y + SIDE, x : x + SIDE]).save(Path(folder, f"{index}.png"))
    best: dict[int, float] = {}
    for _ in range(ROUNDS):
        for nodes in (1, 2):
            best[nodes] = min(best.get(nodes, float("inf")), measure(nodes, Path(folder)))
print(f"{IMAGES} images of {SIDE}x{SIDE}: {best[1]:.1f} s on one node, {best[2]:.1f} s on two: {best[1] / best[2]:.2f} times")
