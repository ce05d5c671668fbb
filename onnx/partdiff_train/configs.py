"""The configurations: every number that defines a bundle and its training."""

from dataclasses import dataclass, field, replace

from .network import NetworkShape
from .schedule import Schedule


@dataclass(frozen=True)
class Preset:
    """Number of sampling steps, and rounds of back-projection (0: none)."""

    name: str
    steps: int
    consistency: int = 0

    def entry(self, most: int) -> dict[str, int]:
        """Its entry in the manifest of a model that takes at most `most` steps."""
        return {"steps": min(self.steps, most)} | ({"consistency": self.consistency} if self.consistency else {})


# Back-projection makes the result of the one regression step consistent with the input.
FAITHFUL = Preset("faithful", 1, consistency=32)


@dataclass(frozen=True)
class Config:
    """patch: LR pixels; crop: HR pixels of a stored training crop; lr: peak learning rate.

    spacing, presets, steps: the timestep spacing, the presets and the number of steps that the bundle suggests.
    """

    name: str
    description: str
    shape: NetworkShape = field(default_factory=NetworkShape)
    schedule: Schedule = field(default_factory=Schedule)
    batch: int = 16
    patch: int = 32
    crop: int = 512
    lr: float = 1e-3
    muon: bool = True
    ema: float = 0.999
    clip: float = 1.0
    spacing: str = "quadratic"
    presets: tuple[Preset, ...] = (FAITHFUL, Preset("balanced", 3), Preset("detailed", 6))
    steps: int = 1


NATURAL_X4 = Config(
    "natural-x4",
    "Photographs, 4 times larger. Small enough for a CPU.",
    # Six blocks in few steps cost as much as three in twice as many, and follow structure better.
    shape=NetworkShape(denoiser_blocks=6, wide_blocks=6),
    # Texture is trained at even steps.
    spacing="uniform",
    presets=(FAITHFUL, Preset("balanced", 2), Preset("detailed", 4)),
    # What most people would pick.
    steps=2,
)

CONFIGS = {
    c.name: c
    for c in (
        NATURAL_X4,
        replace(
            NATURAL_X4,
            name="natural-x4-large",
            description="Photographs, 4 times larger. About eight times the cost of natural-x4, for a GPU.",
            shape=NetworkShape(width=192, encoder_blocks=16, denoiser_blocks=6),
            batch=32,
            patch=48,
            lr=5e-4,
        ),
        Config(
            "mri-x4",
            "Magnetic resonance slices, 4 times larger. Not for diagnosis.",
            shape=NetworkShape(image_channels=1, width=64),
            crop=176,
        ),
    )
}


def named(name: str, otherwise: Config = NATURAL_X4) -> Config:
    """The configuration of that name; if there is none, `otherwise` under that name and described by it."""
    return CONFIGS.get(name) or replace(otherwise, name=name, description=name)
