"""A training run: its loop, its averaged weights, and what it saves. What is trained is its subclasses' business."""

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


class Run:
    """One run in `folder`: state.pt (resumes exactly), weights.pt (averaged), log.txt and log.png.

    Subclasses have `step(progress) -> dict`, `parts()`, and say what else they keep.
    """

    VALIDATED = (1, 4)
    """Numbers of steps measured at every checkpoint."""

    spacing = "uniform"
    """Of those steps."""

    def __init__(self, network: PartialDiffusion, config: Config, store: Store, folder: Path, device: str, seed: int):
        store.expect(network.shape)
        torch.backends.cudnn.benchmark = True
        self.network = network.to(device, memory_format=torch.channels_last)
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

    def recipe(self) -> dict:
        """What must not change when a run goes on; its length may."""
        return asdict(self.config) | {"seed": self.source.seed}

    def run(self, minutes: float | None = None, iterations: int | None = None, every: float = 5.0) -> None:
        """Until the budget is spent; validates and saves each `every` minutes and at the end."""
        began, before, saved = time.monotonic(), self.elapsed, time.monotonic()
        rows: list[dict[str, float]] = []
        while True:
            progress = self.elapsed / (60 * minutes) if minutes else self.iteration / iterations
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
        measures = validate(self.averaged(), self.config.schedule, self.store, self.VALIDATED, self.spacing)
        self.log("valid " + "  ".join(f"{k} {v:.3f}" for k, v in measures.items()))
        record = self.record() | {"validation": measures}
        checkpoint.save_weights(self.folder / "weights.pt", self.config, self.average, record)
        checkpoint.write(self.folder / "state.pt", self.state())
        figures.training(self.folder / "log.png", (self.folder / "log.txt").read_text())

    def state(self) -> dict:
        parts = {name: part.state_dict() for name, part in self.parts().items()}
        own = {"average": self.average, "iteration": self.iteration, "elapsed": self.elapsed, "recipe": self.recipe()}
        return parts | own

    def restore(self, state: dict) -> None:
        for name, part in self.parts().items():
            part.load_state_dict(state[name])
        self.average, self.iteration, self.elapsed = (state[k] for k in ("average", "iteration", "elapsed"))

    def resume(self) -> bool:
        """Continues from state.pt where there is one; InputError where it was begun with another recipe."""
        path = self.folder / "state.pt"
        if not path.exists():
            return False
        state = torch.load(path, map_location=self.device, weights_only=True)
        before, now = state.get("recipe", {}), self.recipe()
        if before != now:
            keys = sorted(before.keys() | now.keys())
            changed = [f"{k} was {before.get(k)}, is {now.get(k)}" for k in keys if before.get(k) != now.get(k)]
            raise InputError(f"{path}: begun with another recipe ({', '.join(changed)})")
        self.restore(state)
        return True
