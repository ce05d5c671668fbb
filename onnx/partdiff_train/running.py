"""A training run: its loop, its averaged weights and what it saves. Subclasses define what is trained."""

import hashlib
import time
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from . import checkpoint, figures
from .batches import BatchSource
from .configs import Config, named
from .dataset import Store
from .errors import InputError
from .network import PartialDiffusion
from .objective import Objective, has_bf16
from .perceptual import Lpips
from .validate import validate


@torch.no_grad()
def follow(average: dict[str, Tensor], network: nn.Module, decay: float, iteration: int) -> None:
    """Moves the averaged weights towards the network's; early iterations count for less."""
    state = network.state_dict()
    decay = min(decay, iteration / (iteration + 10))
    torch._foreach_lerp_(list(average.values()), [state[k] for k in average], 1 - decay)


def digest(weights: dict[str, Tensor]) -> str:
    """Hash of the values (not of the names), 16 characters."""
    values = hashlib.sha256()
    for key in sorted(weights):
        values.update(weights[key].detach().float().cpu().contiguous().numpy().tobytes())
    return values.hexdigest()[:16]


def differences(before: dict, now: dict, place: str = "") -> list[str]:
    """`key was a, is b` for every difference, nested ones included."""
    found = []
    for key in sorted(before.keys() | now.keys()):
        a, b = before.get(key), now.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            found += differences(a, b, f"{place}{key}.")
        elif a != b:
            found.append(f"{place}{key} was {a}, is {b}")
    return found


def load_start(weights: Path, config: Config) -> tuple[PartialDiffusion, Config, dict]:
    """What fine-tuning starts from: a network, its configuration with the batch and patch of `config`, its record."""
    network, schedule, about = checkpoint.load_weights(weights)
    spacing = named(about["name"], config).spacing
    config = replace(config, name=about["name"], shape=network.shape, schedule=schedule, spacing=spacing)
    return network, config, about["record"]


class Run:
    """One run in `directory`: state.pt (to resume), weights.pt (averaged), log.txt and log.png.

    Subclasses implement `step`, `parts` and `summary`, and extend other methods for what else they keep.
    """

    VALIDATED: tuple[int, ...] = (1, 4)
    """Numbers of steps measured at every checkpoint, with the configuration's timestep spacing."""

    judge: Lpips | None = None
    """Measures LPIPS at every checkpoint."""

    def __init__(
        self, network: PartialDiffusion, config: Config, store: Store, directory: Path, device: str, seed: int
    ):
        store.expect(network.shape)
        torch.backends.cudnn.benchmark = True
        self.network = network.to(device).to(memory_format=torch.channels_last)
        self.config, self.store, self.directory, self.device = config, store, directory, device
        self.bf16 = has_bf16(device)
        self.objective = Objective(config.schedule, device)
        self.source = BatchSource(store, config.schedule, config.batch, config.patch, seed)
        directory.mkdir(parents=True, exist_ok=True)
        self.average = {k: v.clone() for k, v in network.state_dict().items()}
        self.iteration, self.elapsed = 0, 0.0

    def step(self, progress: float) -> dict[str, float]:
        """One update at `progress` 0..1 of the run; returns measures for the log."""
        raise NotImplementedError

    def parts(self) -> dict[str, nn.Module | torch.optim.Optimizer]:
        """The networks and optimisers, whose state is saved."""
        raise NotImplementedError

    def summary(self, rows: list[dict[str, float]]) -> list[str]:
        """Lines for the log, from what `step` returned since the last ones."""
        raise NotImplementedError

    def record(self) -> dict:
        """What weights.pt records about the run."""
        return {"iterations": self.iteration, "minutes": round(self.elapsed / 60, 1)}

    def fixed(self) -> dict:
        """What must be the same when a run resumes; its length may change."""
        c = self.config
        images = hashlib.sha256("\n".join([*self.store.names, *self.store.held_sources]).encode()).hexdigest()[:16]
        own = {"batch": c.batch, "patch": c.patch, "seed": self.source.seed, "images": images}
        return own | {"network": asdict(c.shape), "schedule": asdict(c.schedule)}

    def spent(self, minutes: float | None, iterations: int | None) -> float:
        """Share of the budget that is spent; one of `minutes` and `iterations` gives it."""
        if minutes:
            return self.elapsed / (60 * minutes)
        if iterations:
            return self.iteration / iterations
        raise ValueError("a run needs a budget of minutes or of iterations")

    def run(self, minutes: float | None = None, iterations: int | None = None, every: float = 5.0) -> None:
        """Trains until the budget is spent; validates and saves every `every` minutes and at the end."""
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
        with open(self.directory / "log.txt", "a") as file:
            file.write(line + "\n")

    def averaged(self) -> PartialDiffusion:
        """A network with the averaged weights, in evaluation mode."""
        network = PartialDiffusion(self.network.shape).to(self.device)
        network.load_state_dict(self.average)
        return network.eval()

    def save(self) -> dict[str, float]:
        """Writes state.pt, then validates and writes weights.pt and the log; returns what `validate` found."""
        checkpoint.write(self.directory / "state.pt", self.state())
        steps = [n for n in self.VALIDATED if n <= self.config.schedule.start_step]
        measures = validate(self.averaged(), self.config.schedule, self.store, steps, self.config.spacing, self.judge)
        self.log("valid " + "  ".join(f"{k} {v:.3f}" for k, v in measures.items()))
        record = self.record() | {"validation": measures, "validation_spacing": self.config.spacing}
        checkpoint.save_weights(self.directory / "weights.pt", self.config, self.average, record)
        figures.training(self.directory / "log.png", (self.directory / "log.txt").read_text())
        return measures

    def state(self) -> dict:
        """What state.pt holds."""
        parts = {name: part.state_dict() for name, part in self.parts().items()}
        own = {"average": self.average, "iteration": self.iteration, "elapsed": self.elapsed, "fixed": self.fixed()}
        return parts | own

    def restore(self, state: dict) -> None:
        """The inverse of `state`."""
        for name, part in self.parts().items():
            part.load_state_dict(state[name])
        self.average = {k: v.to(self.device) for k, v in state["average"].items()}
        self.iteration, self.elapsed = state["iteration"], state["elapsed"]

    def resume(self) -> bool:
        """Resumes from state.pt; False if there is none, InputError if it was started with another recipe."""
        path = self.directory / "state.pt"
        if not path.exists():
            return False
        state = checkpoint.read(path, "state.pt of a run")
        if changed := differences(state.get("fixed", {}), self.fixed()):
            raise InputError(f"{path}: started with another recipe ({', '.join(changed)})")
        self.restore(state)
        return True
