"""The bundles and what they are trained on. One place names every number of a recipe."""

from dataclasses import dataclass, field, replace

from .network import NetworkShape
from .schedule import Schedule


@dataclass(frozen=True)
class Config:
    """patch: LR pixels; crop: HR pixels of a stored training crop; lr: peak learning rate.

    spacing, presets: what the bundle proposes, the spacing of steps and their number for each preset.
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
    presets: tuple[tuple[str, int], ...] = (("faithful", 1), ("balanced", 3), ("detailed", 6))


NATURAL_X4 = Config("natural-x4", "Photographs, 4 times larger. Small enough for a CPU.")

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
        replace(
            NATURAL_X4,
            name="natural-x2",
            description="Photographs, 2 times larger.",
            # Four times the input pixels for the same output: a narrower network keeps it fit for a CPU.
            shape=NetworkShape(scale=2, width=64),
            schedule=Schedule(start_step=25, residual_std=0.06),
            patch=48,
            # Quadratic steps gain nothing here.
            spacing="uniform",
            presets=(("faithful", 1), ("balanced", 2), ("detailed", 4)),
        ),
        replace(
            NATURAL_X4,
            name="mri-x4",
            description="Magnetic resonance slices, 4 times larger. Not for diagnosis.",
            shape=NetworkShape(image_channels=1, width=64),
            crop=176,
        ),
    )
}
