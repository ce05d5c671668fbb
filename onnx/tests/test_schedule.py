"""The formulas, against an independent implementation where there is one."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from partdiff_train.noise_field import normals, philox
from partdiff_train.sampler import sample_image, sample_residual, timesteps
from partdiff_train.schedule import Schedule


def test_alphas_match_diffusers():
    diffusers = pytest.importorskip("diffusers")
    reference = diffusers.DDIMScheduler(1000, beta_start=1e-4, beta_end=0.02, beta_schedule="linear")
    np.testing.assert_allclose(Schedule().abar[1:], reference.alphas_cumprod.numpy(), rtol=1e-5)


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_unaligned_chain_is_ddim(eta):
    """With lambda = 0 the image form is ordinary DDIM, eta = 1 included."""
    diffusers = pytest.importorskip("diffusers")
    schedule = Schedule(start_step=1000, alignment="none")
    reference = diffusers.DDIMScheduler(
        1000, beta_start=1e-4, beta_end=0.02, beta_schedule="linear", prediction_type="sample",
        clip_sample=False, set_alpha_to_one=True, timestep_spacing="trailing",
    )  # fmt: skip
    rng = np.random.default_rng(3)
    u, target = rng.uniform(-1, 1, (2, 3, 8, 8))
    steps = timesteps(1000, 10)
    noise = [rng.standard_normal(u.shape) for _ in range(10)]
    predict = lambda z, t: (target - u) * (0.5 + 0.5 * t) + 0.01 * z
    got = sample_image(predict, u, schedule, steps, noise, eta)

    reference.set_timesteps(10)
    assert list(reference.timesteps + 1) == steps[:-1]
    abar = schedule.abar
    x = torch.from_numpy(np.sqrt(abar[1000]) * u + np.sqrt(1 - abar[1000]) * noise[0])
    for i, t in enumerate(reference.timesteps):
        z = (x.numpy() - np.sqrt(abar[t + 1]) * u) * schedule.input_scale[t + 1]
        x0 = torch.from_numpy(u + predict(z, (int(t) + 1) / 1000))
        entering = torch.from_numpy(noise[i + 1]) if i + 1 < len(noise) else torch.zeros_like(x)
        x = reference.step(x0, t, x, eta=eta, variance_noise=entering).prev_sample
    np.testing.assert_allclose(got, x.numpy(), atol=2e-5)


@pytest.mark.parametrize("eta", [0.0, 0.7])
@pytest.mark.parametrize("alignment", ["linear", "none"])
@pytest.mark.parametrize("spacing", ["uniform", "quadratic"])
def test_both_forms_agree(eta, alignment, spacing):
    schedule = Schedule(alignment=alignment)
    rng = np.random.default_rng(1)
    u = rng.uniform(-1, 1, (3, 8, 8))
    noise = [rng.standard_normal(u.shape) for _ in range(6)]
    predict = lambda z, t: 0.1 * np.tanh(z + u) * (1 - 0.3 * t)
    steps = timesteps(40, 6, spacing)
    a = sample_residual(predict, u, schedule, steps, noise, eta)
    b = sample_image(predict, u, schedule, steps, noise, eta)
    np.testing.assert_allclose(a, b, atol=1e-9)


def test_start_needs_only_the_lr_image():
    s = Schedule()
    assert s.signal[40] == 0 and s.weight[0] == 0 and s.weight[40] == 1
    assert np.all(np.diff(s.weight) >= 0)


def test_network_input_has_unit_variance():
    s = Schedule()
    np.testing.assert_allclose((s.signal**2 + s.noise**2) * s.input_scale**2, 1)


def test_loss_weight_is_bounded():
    w = Schedule().loss_weight
    assert w[40] == 1 and w.max() == 10 and np.all(np.diff(w) <= 0)


@pytest.mark.parametrize("steps", [1, 2, 7, 40])
@pytest.mark.parametrize("spacing", ["uniform", "quadratic"])
def test_timesteps_run_down_to_zero(steps, spacing):
    t = timesteps(40, steps, spacing)
    assert t[0] == 40 and t[-1] == 0 and len(t) == steps + 1
    assert all(a > b for a, b in pairwise(t))


def test_too_many_steps_are_refused():
    with pytest.raises(ValueError, match="41"):
        timesteps(40, 41)


def test_perfect_prediction_returns_the_original():
    rng = np.random.default_rng(2)
    u, x0 = rng.uniform(-1, 1, (2, 3, 8, 8))
    for steps in (1, 4):
        got = sample_residual(
            lambda z, t: x0 - u, u, replace(Schedule()), timesteps(40, steps), [rng.standard_normal(u.shape)]
        )
        np.testing.assert_allclose(got, x0, atol=1e-12)


def test_multistep_is_dpm_solver():
    """With lambda = 0 and a residual of unit variance, the chain of x - sqrt(abar) u is DPM-Solver++(2M)."""
    diffusers = pytest.importorskip("diffusers")
    schedule = Schedule(start_step=1000, alignment="none")
    reference = diffusers.DPMSolverMultistepScheduler(
        1000, beta_start=1e-4, beta_end=0.02, beta_schedule="linear", prediction_type="sample",
        algorithm_type="dpmsolver++", solver_order=2, solver_type="midpoint", final_sigmas_type="zero",
        timestep_spacing="trailing", lower_order_final=False,
    )  # fmt: skip
    rng = np.random.default_rng(4)
    u, target = rng.uniform(-1, 1, (2, 3, 8, 8))
    noise = [rng.standard_normal(u.shape)]
    predict = lambda z, t: (target - u) * (0.5 + 0.5 * t)
    got = sample_residual(predict, u, schedule, timesteps(1000, 10), noise, multistep=True)

    reference.set_timesteps(10)
    residual = torch.from_numpy(np.sqrt(1 - schedule.abar[1000]) * noise[0])
    for t in reference.timesteps:
        prediction = torch.from_numpy((target - u) * (0.5 + 0.5 * (int(t) + 1) / 1000))
        residual = reference.step(prediction, t, residual).prev_sample
    np.testing.assert_allclose(got, u + residual.numpy(), atol=1e-5)


def test_noise_is_the_runtimes():
    """The published known answer of Philox4x32-10 (Random123), and normal statistics."""
    words = philox([np.array([0xFFFFFFFF], np.uint64)] * 4, (0xFFFFFFFF, 0xFFFFFFFF))
    assert [int(w[0]) for w in words] == [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]
    z = normals(7, 40, (3, 65, 63))
    assert z.shape == (3, 65, 63) and abs(z.mean()) < 0.03 and abs(z.std() - 1) < 0.03
    np.testing.assert_array_equal(z[:, :9, :9], normals(7, 40, (3, 9, 9)))
