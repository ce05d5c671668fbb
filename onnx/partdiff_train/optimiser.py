"""Muon for the 3x3 convolutions inside the trunk, AdamW for everything else.

Muon (K. Jordan et al., 2024) replaces a weight's momentum by the nearest semi-orthogonal matrix,
computed by a Newton-Schulz iteration; every direction of the weight then learns at the same rate.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def orthogonalise(matrix: Tensor, steps: int = 5) -> Tensor:
    """matrix [a, b] -> the same with singular values near 1."""
    a, b, c = COEFFICIENTS
    wide = matrix.shape[0] <= matrix.shape[1]
    x = matrix if wide else matrix.T
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x if wide else x.T


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised; convolution weights [o, i, 3, 3] are taken as [o, 9 i]."""

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float, momentum: float = 0.95):
        super().__init__(parameters, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]  # takes no closure
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state["momentum"] = torch.zeros_like(p)
                average = state["momentum"].lerp_(p.grad, 1 - group["momentum"])
                update = p.grad.lerp(average, group["momentum"]).flatten(1)
                # Unit singular values, rescaled to about the root mean square of an Adam update.
                scale = 0.4 * max(update.shape) ** 0.5
                p.add_(orthogonalise(update).view_as(p), alpha=-group["lr"] * scale)


def make(network: nn.Module, lr: float, muon: bool) -> list[torch.optim.Optimizer]:
    """All optimisers of a network; `lr` is common to them."""
    matrices = [p for n, p in network.named_parameters() if p.ndim == 4 and "blocks" in n and muon]
    chosen = {id(p) for p in matrices}
    rest = [p for p in network.parameters() if id(p) not in chosen]
    optimisers: list[torch.optim.Optimizer] = [torch.optim.AdamW(rest, lr, betas=(0.9, 0.99), weight_decay=0.0)]
    return optimisers + ([Muon(matrices, lr)] if muon else [])
