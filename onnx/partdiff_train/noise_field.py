"""The same noise as the runtime draws: Philox4x32-10 keyed by the seed, and Box-Muller.

The counter is (x // 4, y, channel, step): Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".
"""

import numpy as np

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
WORD = np.uint64(0xFFFFFFFF)


def philox(counter: list[np.ndarray], key: tuple[int, int]) -> list[np.ndarray]:
    """Four uint64 arrays of 32-bit counters -> four arrays of 32-bit words."""
    a, b, c, d = counter
    k0, k1 = key
    for _ in range(10):
        first, second = a * np.uint64(MULTIPLIERS[0]), c * np.uint64(MULTIPLIERS[1])
        a, b, c, d = (
            (second >> np.uint64(32)) ^ b ^ np.uint64(k0),
            second & WORD,
            (first >> np.uint64(32)) ^ d ^ np.uint64(k1),
            first & WORD,
        )
        k0, k1 = (k0 + KEY_STEPS[0]) & 0xFFFFFFFF, (k1 + KEY_STEPS[1]) & 0xFFFFFFFF
    return [a, b, c, d]


def normals(seed: int, step: int, shape: tuple[int, int, int]) -> np.ndarray:
    """[C, H, W] standard normals of `step`, equal to the runtime's except for its f32 rounding."""
    channels, height, width = shape
    grid = np.meshgrid(np.arange(channels), np.arange(height), np.arange(-(-width // 4)), indexing="ij")
    channel, y, group = (axis.astype(np.uint64) for axis in grid)
    words = philox([group, y, channel, np.full_like(group, step)], (seed & 0xFFFFFFFF, seed >> 32))
    radius = [np.sqrt(-2 * np.log(((word >> np.uint64(1)).astype(float) + 0.5) / 2**31)) for word in words[::2]]
    angle = [2 * np.pi * word.astype(float) / 2**32 for word in words[1::2]]
    parts = [f(a) * r for r, a in zip(radius, angle) for f in (np.cos, np.sin)]
    return np.stack(parts, axis=-1).reshape(channels, height, -1)[..., :width]
