"""What the user asks for."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

#: Longest side of a result, in pixels.
LONGEST = 262_144

DEVICES = (
    ("auto", "Automatic"),
    ("cpu", "Processor"),
    ("openvino", "OpenVINO, processor"),
    ("openvino:bf16", "OpenVINO, processor, 16 bits"),
    ("openvino:gpu", "OpenVINO, Intel GPU"),
    ("openvino:npu", "OpenVINO, Intel NPU"),
    ("webgpu", "WebGPU"),
    ("cuda", "CUDA"),
    ("tensorrt", "TensorRT"),
)


@dataclass(frozen=True)
class Settings:
    """One run's settings. Without `preset` and `steps` the model's own hold."""

    #: Factor between the sides of input and result, up to 64; 0: `width` and `height` say.
    scale: int = 4
    #: Of the result, in pixels; 0 follows from the other.
    width: int = 0
    height: int = 0
    preset: str = ""
    steps: int = 0
    #: 0 keeps everything, 1 removes noise and JPEG blocks; empty: what the image seems to need.
    cleanup: str = ""
    seed: int = 0
    #: Name or path of a model; empty for the default one.
    model: str = ""
    #: Where the model runs, one of `DEVICES`.
    device: str = "auto"

    def options(self) -> dict[str, str]:
        """The options of a job, as libpartdiff takes them.

        Raises `ValueError` where no size is given.
        """
        if not (self.scale or self.width or self.height):
            raise ValueError("Give a width, a height or both.")
        size = {"scale": self.scale} if self.scale else {"width": self.width, "height": self.height}
        named = {**size, "preset": self.preset, "steps": self.steps, "cleanup": self.cleanup}
        return {key: str(value) for key, value in named.items() if value} | {"seed": str(self.seed)}

    def texts(self) -> dict[str, str]:
        """All of them as text, to be kept for the next time."""
        return {key: str(value) for key, value in asdict(self).items()}

    @classmethod
    def from_texts(cls, texts: dict[str, str]) -> Settings:
        """The inverse of `texts`; what is missing or cannot be read has its default."""
        found: dict[str, object] = {}
        for field in fields(cls):
            try:
                found[field.name] = type(field.default)(texts[field.name])
            except (KeyError, ValueError):
                continue
        return cls(**found)  # type: ignore[arg-type]
