"""The sampling loop of the runtime, in numpy; the caller passes the noise.

Two equivalent forms of the same chain: `residual` keeps z_t = x_t - sqrt(abar_t) u, `image` keeps
x_t. `predict(z, t)` takes z already scaled by c_in and the fraction t = step / K, and returns the
residual x0 - u in image units.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from .schedule import Schedule

Predict = Callable[[np.ndarray, float], np.ndarray]


def timesteps(start_step: int, steps: int, spacing: str = "uniform") -> list[int]:
    """steps + 1 decreasing integers from start_step to 0."""
    if not 1 <= steps <= start_step:
        raise ValueError(f"{steps} steps: expected 1 to {start_step}")
    power = {"uniform": 1, "quadratic": 2}[spacing]
    raw = [int(start_step * (1 - i / steps) ** power + 0.5) for i in range(steps + 1)]
    # Rounding must not make two timesteps equal.
    return [max(t, steps - i) for i, t in enumerate(raw)]


def deviation(schedule: Schedule, t: int, s: int, eta: float) -> float:
    """DDIM's sigma for the step t -> s."""
    abar = schedule.abar
    return eta * np.sqrt((1 - abar[s]) / (1 - abar[t]) * (1 - abar[t] / abar[s]))


def extrapolation(signal: np.ndarray, noise: np.ndarray, before: int, t: int, s: int) -> float:
    """DPM-Solver++(2M): the factor of the predictions' last change in the step t -> s (arXiv 2211.01095)."""
    if noise[s] == 0 or signal[before] == 0:
        return 0.0
    log_ratio = np.log(signal[[before, t, s]] / noise[[before, t, s]])
    return (log_ratio[2] - log_ratio[1]) / (2 * (log_ratio[1] - log_ratio[0]))


def sample_residual(
    predict: Predict,
    u: np.ndarray,
    schedule: Schedule,
    steps: list[int],
    noise: list[np.ndarray],
    eta: float = 0.0,
    multistep: bool = False,
) -> np.ndarray:
    """u [C, H, W] in [-1, 1]; noise[0] starts the chain, noise[i] enters step i when eta > 0. -> x0 estimate.

    DDIM with `eta` (1: DDPM), or with `multistep` DPM-Solver++(2M), which has no eta.
    """
    a, s, c_in = schedule.signal / schedule.residual_std, schedule.noise, schedule.input_scale
    z = s[steps[0]] * noise[0]
    last = None
    for i, (t, n) in enumerate(pairwise(steps)):
        r = predict(z * c_in[t], t / schedule.start_step)
        if multistep:
            kept = s[n] / s[t]
            change = extrapolation(a, s, steps[i - 1], t, n) * (r - last) if i else 0.0
            z = kept * z + (a[n] - kept * a[t]) * (r + change)
            last = r
            continue
        eps = (z - a[t] * r) / s[t]
        sigma = deviation(schedule, t, n, eta)
        z = a[n] * r + np.sqrt(max(s[n] ** 2 - sigma**2, 0.0)) * eps
        if sigma > 0:
            z = z + sigma * noise[i + 1]
    return u + r


def sample_image(
    predict: Predict, u: np.ndarray, schedule: Schedule, steps: list[int], noise: list[np.ndarray], eta: float = 0.0
) -> np.ndarray:
    """The same chain on x_t, as the paper writes it; for networks that take residual inputs."""
    root, s, weight = np.sqrt(schedule.abar), schedule.noise, schedule.weight
    x = root[steps[0]] * u + s[steps[0]] * noise[0]
    for i, (t, n) in enumerate(pairwise(steps)):
        z = (x - root[t] * u) * schedule.input_scale[t]
        x0 = u + predict(z, t / schedule.start_step)
        eps = (x - root[t] * (x0 + weight[t] * (u - x0))) / s[t]
        sigma = deviation(schedule, t, n, eta)
        x = root[n] * (x0 + weight[n] * (u - x0)) + np.sqrt(max(s[n] ** 2 - sigma**2, 0.0)) * eps
        if sigma > 0:
            x = x + sigma * noise[i + 1]
    return x0
