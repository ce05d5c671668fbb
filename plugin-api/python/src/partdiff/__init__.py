"""PartDiff: images made larger by partial diffusion.

    import partdiff

    with partdiff.Upscaler() as upscaler:
        large = upscaler.upscale(small, scale=4, preset="detailed")

`small` is a numpy array or an image of Pillow. The command `partdiff` comes with the same package; MR volumes and whole
files are its business (`partdiff upscale`), and `partdiff.ray` takes many files through a Ray cluster.
"""

from .errors import *  # noqa: F403
from .errors import __all__ as _errors
from .upscaler import Info, Settings, Upscaler, library_version

__all__ = ["Info", "Settings", "Upscaler", "library_version", *_errors]
