"""PartDiff in Krita: Image > Upscale with PartDiff.

Scripts call `upscale`:

    from krita import Krita
    from partdiff_krita import Settings, upscale

    large = upscale(Krita.instance().activeDocument(), Settings(scale=2, preset="faithful"))
"""

from krita import Krita

from .action import Upscale
from .settings import Settings
from .upscale import upscale

__all__ = ["Settings", "upscale"]

Krita.instance().addExtension(Upscale(Krita.instance()))
