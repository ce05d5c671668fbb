"""Noise schedule, latent alignment and the residual latent (arXiv 2307.11926, sections 3.1 to 3.3).

With r = (x0 - u) / residual_std of unit variance and the alignment weight lambda_t:

    x_t = sqrt(abar_t) (x0 + lambda_t (u - x0)) + sqrt(1 - abar_t) eps
    z_t = x_t - sqrt(abar_t) u = A_t r + S_t eps
    A_t = sqrt(abar_t) (1 - lambda_t) residual_std,   S_t = sqrt(1 - abar_t)

At t = K the linear alignment makes A_K = 0: the start needs only the LR image.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Schedule:
    """t runs over 0..start_step; index 0 is the clean image (abar_0 = 1).

    prediction: what the network's output is, the `residual` r itself or `v` = cos eps - sin r with cos = c_in A_t
    and sin = c_in S_t (Salimans and Ho, arXiv 2202.00512); v is for comparison only.
    """

    start_step: int = 40
    alignment: str = "linear"
    residual_std: float = 0.11
    timesteps: int = 1000
    beta_start: float = 1e-4
    beta_end: float = 0.02
    prediction: str = "residual"

    @property
    def abar(self) -> np.ndarray:
        """[timesteps + 1] float64, abar[t] = product of the first t of (1 - beta_i)."""
        betas = np.linspace(self.beta_start, self.beta_end, self.timesteps)
        return np.concatenate([[1.0], np.cumprod(1.0 - betas)])

    @property
    def weight(self) -> np.ndarray:
        """[start_step + 1] alignment weight lambda_t: 0 at t = 0, 1 at K when aligned."""
        if self.alignment == "none":
            return np.zeros(self.start_step + 1)
        return np.arange(self.start_step + 1) / self.start_step

    @property
    def signal(self) -> np.ndarray:
        """[start_step + 1] A_t."""
        return np.sqrt(self.abar[: self.start_step + 1]) * (1 - self.weight) * self.residual_std

    @property
    def noise(self) -> np.ndarray:
        """[start_step + 1] S_t."""
        return np.sqrt(1 - self.abar[: self.start_step + 1])

    @property
    def input_scale(self) -> np.ndarray:
        """[start_step + 1] c_in = 1 / sqrt(A^2 + S^2): the network sees unit variance."""
        return 1 / np.sqrt(self.signal**2 + self.noise**2)

    @property
    def loss_weight(self) -> np.ndarray:
        """[start_step + 1] min(1 + SNR, 10); index 0 is never trained and set to 10."""
        snr = self.signal[1:] ** 2 / self.noise[1:] ** 2
        return np.concatenate([[10.0], np.minimum(1 + snr, 10.0)])
