"""A training run: its loop, its averaged weights, and what it saves. What is trained is its subclasses' business."""

import hashlib
import time
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn

from . import checkpoint, figures
from .batches import BatchSource
from .configs import Config
from .dataset import Store
from .errors import InputError
from .network import PartialDiffusion
from .objective import Objective, has_bf16
from .validate import validate


@torch.no_grad()
def follow(average: dict[str, Tensor], network: nn.Module, decay: float, iteration: int) -> None:
    """Moves the averaged weights towards the network's; early iterations count for less."""
    state = network.state_dict()
    decay = min(decay, iteration / (iteration + 10))
    torch._foreach_lerp_(list(average.values()), [state[k] for k in average], 1 - decay)


def digest(weights: dict[str, Tensor]) -> str:
    """Of the values alone, 16 characters."""
    values = hashlib.sha256()
    for key in sorted(weights):
        values.update(weights[key].detach().float().cpu().contiguous().numpy().tobytes())
    return values.hexdigest()[:16]


def differences(before: dict, now: dict, place: str = "") -> list[str]:
    """`key was a, is b` for all that differs, in what is nested too."""
    found = []
    for key in sorted(before.keys() | now.keys()):
        a, b = before.get(key), now.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            found += differences(a, b, f"{place}{key}.")
        elif a != b:
            found.append(f"{place}{key} was {a}, is {b}")
    return found


class Run:
    """One run in `folder`: state.pt (to go on from), weights.pt (averaged), log.txt and log.png.

    Subclasses have `step`, `parts` and `summary`; what else they keep they add to the other methods.
    """

    VALIDATED: tuple[int, ...] = (1, 4)
    """Numbers of steps measured at every checkpoint, spaced as the configuration says."""

    def __init__(self, network: PartialDiffusion, config: Config, store: Store, folder: Path, device: str, seed: int):
        store.expect(network.shape)
        torch.backends.cudnn.benchmark = True
        self.network = network.to(device).to(memory_format=torch.channels_last)
        self.config, self.store, self.folder, self.device = config, store, folder, device
        self.bf16 = has_bf16(device)
        self.objective = Objective(config.schedule, device)
        self.source = BatchSource(store, config.schedule, config.batch, config.patch, seed)
        folder.mkdir(parents=True, exist_ok=True)
        self.average = {k: v.clone() for k, v in network.state_dict().items()}
        self.iteration, self.elapsed = 0, 0.0

    def step(self, progress: float) -> dict[str, float]:
        """One update at `progress` 0..1 of the run; returns what is worth a line in the log."""
        raise NotImplementedError

    def parts(self) -> dict[str, nn.Module | torch.optim.Optimizer]:
        """What has a state to resume."""
        raise NotImplementedError

    def summary(self, rows: list[dict[str, float]]) -> list[str]:
        """Lines for the log."""
        raise NotImplementedError

    def record(self) -> dict:
        """What the weights' file says about the run."""
        return {"iterations": self.iteration, "minutes": round(self.elapsed / 60, 1)}

    def fixed(self) -> dict:
        """What must not change when a run goes on; its length may."""
        c = self.config
        images = hashlib.sha256("\n".join([*self.store.names, *self.store.held_sources]).encode()).hexdigest()[:16]
        own = {"batch": c.batch, "patch": c.patch, "seed": self.source.seed, "images": images}
        return own | {"network": asdict(c.shape), "schedule": asdict(c.schedule)}

    def spent(self, minutes: float | None, iterations: int | None) -> float:
        """Share of the budget, which is given in one of the two, that is spent."""
        if minutes:
            return self.elapsed / (60 * minutes)
        if iterations:
            return self.iteration / iterations
        raise ValueError("a run needs a budget of minutes or of iterations")

    def run(self, minutes: float | None = None, iterations: int | None = None, every: float = 5.0) -> None:
        """Until the budget is spent; validates and saves each `every` minutes and at the end."""
        began, before, saved = time.monotonic(), self.elapsed, time.monotonic()
        rows: list[dict[str, float]] = []
        while True:
            progress = self.spent(minutes, iterations)
            if progress >= 1:
                break
            rows.append(self.step(progress))
            self.elapsed = before + time.monotonic() - began
            if self.iteration % 100 == 0:
                for line in self.summary(rows):
                    self.log(f"{line}  progress {progress:.3f}")
                rows = []
            if time.monotonic() - saved > 60 * every:
                self.save()
                saved = time.monotonic()
        self.save()

    def log(self, text: str) -> None:
        """Prints a line and adds it to log.txt, with the time of the run so far."""
        line = f"{time.strftime('%H:%M:%S')}  {self.elapsed / 60:6.1f} min  {self.iteration:6d}  {text}"
        print(line, flush=True)
        with open(self.folder / "log.txt", "a") as file:
            file.write(line + "\n")

    def averaged(self) -> PartialDiffusion:
        network = PartialDiffusion(self.network.shape).to(self.device)
        network.load_state_dict(self.average)
        return network.eval()

    def save(self) -> None:
        checkpoint.write(self.folder / "state.pt", self.state())
        steps = [n for n in self.VALIDATED if n <= self.config.schedule.start_step]
        measures = validate(self.averaged(), self.config.schedule, self.store, steps, self.config.spacing)
        self.log("valid " + "  ".join(f"{k} {v:.3f}" for k, v in measures.items()))
        record = self.record() | {"validation": measures, "validation_spacing": self.config.spacing}
        checkpoint.save_weights(self.folder / "weights.pt", self.config, self.average, record)
        figures.training(self.folder / "log.png", (self.folder / "log.txt").read_text())

    def state(self) -> dict:
        parts = {name: part.state_dict() for name, part in self.parts().items()}
        own = {"average": self.average, "iteration": self.iteration, "elapsed": self.elapsed, "fixed": self.fixed()}
        return parts | own

    def restore(self, state: dict) -> None:
        for name, part in self.parts().items():
            part.load_state_dict(state[name])
        self.average = {k: v.to(self.device) for k, v in state["average"].items()}
        self.iteration, self.elapsed = state["iteration"], state["elapsed"]

    def resume(self) -> bool:
        """Continues from state.pt where there is one; InputError where it was begun with another recipe."""
        path = self.folder / "state.pt"
        if not path.exists():
            return False
        state = checkpoint.read(path, "state.pt of a run")
        if changed := differences(state.get("fixed", {}), self.fixed()):
            raise InputError(f"{path}: begun with another recipe ({', '.join(changed)})")
        self.restore(state)
        return True
