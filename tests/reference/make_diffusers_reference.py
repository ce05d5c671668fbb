#!/usr/bin/env python3
"""Writes diffusers_chains.json: whole reverse chains of diffusers' schedulers, step by step.

    pip install diffusers torch numpy
    python tests/reference/make_diffusers_reference.py

Each chain starts from noise on an ordinary (unaligned) schedule and records the network outputs, the
fresh noise and every latent, so that another implementation can be driven with the same numbers. The network is
a fixed function: it guesses an image by a tanh of the latent and states the guess in the chain's prediction
type. Outputs and noise are float32. DDPM and DDIM run with latents and alphas_cumprod in float64, so that
diffusers' own rounding does not count against the implementation under test; DPM-Solver, which insists on
float32, runs as it is.
"""

import json
import math
from pathlib import Path

import diffusers
import numpy as np
import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler
from diffusers.schedulers import scheduling_ddpm

SIZE = 16
TIMESTEPS = 1000
STEPS = 10
SCHEDULES = {
    "linear": {"beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.02},
    "scaled_linear": {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012},
    "cosine": {"beta_schedule": "squaredcos_cap_v2"},
}
SAMPLERS = [("ddpm", 1.0), ("ddim", 0.0), ("ddim", 0.5), ("dpmpp-2m", 0.0)]
PREDICTIONS = ["epsilon", "sample", "v_prediction"]


def make_scheduler(sampler, schedule, prediction, spacing):
    common = dict(
        num_train_timesteps=TIMESTEPS,
        prediction_type=prediction,
        timestep_spacing=spacing,
        **SCHEDULES[schedule],
    )
    if sampler == "ddpm":
        return in_double(DDPMScheduler(variance_type="fixed_small", clip_sample=False, **common))
    if sampler == "ddim":
        return in_double(DDIMScheduler(clip_sample=False, set_alpha_to_one=True, **common))
    return DPMSolverMultistepScheduler(
        solver_order=2,
        algorithm_type="dpmsolver++",
        solver_type="midpoint",
        final_sigmas_type="zero",
        **common,
    )


def in_double(scheduler):
    """Recomputes the tables from the scheduler's own configuration, which diffusers does in float32."""
    config = scheduler.config
    if config.beta_schedule == "linear":
        betas = np.linspace(config.beta_start, config.beta_end, TIMESTEPS)
    elif config.beta_schedule == "scaled_linear":
        betas = np.linspace(config.beta_start**0.5, config.beta_end**0.5, TIMESTEPS) ** 2
    else:
        betas = 1 - np.array([cosine(i + 1) / cosine(i) for i in range(TIMESTEPS)])
        betas = np.minimum(betas, 0.999)
    table = torch.from_numpy(np.cumprod(1 - betas))
    assert torch.allclose(table, scheduler.alphas_cumprod.double(), rtol=1e-4, atol=1e-6)
    scheduler.betas = torch.from_numpy(betas)
    scheduler.alphas = 1 - scheduler.betas
    scheduler.alphas_cumprod = table
    return scheduler


def cosine(index):
    return math.cos((index / TIMESTEPS + 0.008) / 1.008 * math.pi / 2) ** 2


def network(latent, alpha_bar, index, prediction):
    """A smooth function of latent and step, in the chain's own prediction type."""
    latent = latent.double()
    guess = torch.tanh(1.3 * latent + 0.2 * torch.sin(torch.arange(SIZE) + 0.01 * index)) * 0.9
    if prediction == "sample":
        output = guess
    else:
        epsilon = (latent - alpha_bar**0.5 * guess) / (1 - alpha_bar) ** 0.5
        if prediction == "epsilon":
            output = epsilon
        else:
            output = alpha_bar**0.5 * epsilon - (1 - alpha_bar) ** 0.5 * guess
    return output.float()


def numbers(tensor):
    # Nine digits give every float32 back.
    return [float(f"{value:.9g}") for value in tensor.flatten().tolist()]


def run_chain(sampler, eta, schedule, prediction, spacing, generator):
    scheduler = make_scheduler(sampler, schedule, prediction, spacing)
    scheduler.set_timesteps(STEPS)
    latent = torch.randn(1, SIZE, generator=generator)
    chain = {
        "sampler": sampler,
        "eta": eta,
        "schedule": schedule,
        "prediction": prediction,
        "spacing": spacing,
        "start": numbers(latent),
        "steps": [],
    }
    if sampler != "dpmpp-2m":
        latent = latent.double()
    for index in scheduler.timesteps.tolist():
        output = network(latent, float(scheduler.alphas_cumprod[index]), index, prediction)
        noise = torch.zeros(1, SIZE) if eta == 0 else torch.randn(1, SIZE, generator=generator)
        if sampler == "ddpm":
            # The scheduler would draw its own noise in float64, which float32 cannot record.
            scheduling_ddpm.randn_tensor = lambda *args, **kwargs: noise.double()
            latent = scheduler.step(output.double(), index, latent).prev_sample
        elif sampler == "ddim":
            latent = scheduler.step(
                output.double(), index, latent, eta=eta, variance_noise=noise.double()
            ).prev_sample
        else:
            latent = scheduler.step(output, index, latent).prev_sample
        assert latent.dtype == (torch.float32 if sampler == "dpmpp-2m" else torch.float64)
        chain["steps"].append(
            {"index": index, "output": numbers(output), "noise": numbers(noise), "latent": numbers(latent)}
        )
    return chain


def main():
    generator = torch.Generator().manual_seed(20231119)
    schedules = {}
    for name in SCHEDULES:
        table = make_scheduler("dpmpp-2m", name, "epsilon", "trailing").alphas_cumprod
        picks = [0, 1, 2, 9, 99, 249, 499, 749, 899, 989, 998, 999]
        schedules[name] = {
            "config": {
                "kind": {"squaredcos_cap_v2": "cosine"}.get(
                    SCHEDULES[name]["beta_schedule"], SCHEDULES[name]["beta_schedule"]
                ),
                "timesteps": TIMESTEPS,
                **{key: value for key, value in SCHEDULES[name].items() if key != "beta_schedule"},
            },
            "alphas_cumprod": {str(pick): float(f"{float(table[pick]):.9g}") for pick in picks},
        }
    cases = [(schedule, prediction, "trailing") for schedule in SCHEDULES for prediction in PREDICTIONS]
    # At step T of these two schedules an epsilon chain divides by 0.006 and 0.00005, which magnifies float32's
    # rounding in any implementation. "leading" starts at index 900, where the comparison is sharp.
    cases += [(schedule, "epsilon", "leading") for schedule in ("linear", "cosine")]
    chains = [
        run_chain(sampler, eta, schedule, prediction, spacing, generator)
        for sampler, eta in SAMPLERS
        for schedule, prediction, spacing in cases
    ]
    record = {
        "made_with": {
            "diffusers": diffusers.__version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
        "schedules": schedules,
        "chains": chains,
    }
    target = Path(__file__).with_name("diffusers_chains.json")
    text = json.dumps(record, separators=(",", ":")).replace('{"index"', '\n{"index"')
    target.write_text(text.replace('{"sampler"', '\n{"sampler"') + "\n")
    print(target, target.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
