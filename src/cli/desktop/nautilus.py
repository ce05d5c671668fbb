"""An entry of Nautilus's context menu, for python3-nautilus: Upscale with PartDiff."""

import locale
import subprocess

from gi.repository import GObject, Nautilus

PROGRAM = "@PARTDIFF@"
LABELS = {"de": "Mit PartDiff vergrößern", "fr": "Agrandir avec PartDiff"}


class PartDiff(GObject.GObject, Nautilus.MenuProvider):
    """Offers the entry where all chosen files are images."""

    def get_file_items(self, *arguments):
        # Before version 43 the window comes first.
        files = arguments[-1]
        paths = [file.get_location().get_path() for file in files]
        if not paths or None in paths or any(not file.get_mime_type().startswith("image/") for file in files):
            return []
        label = LABELS.get((locale.getlocale()[0] or "")[:2], "Upscale with PartDiff")
        item = Nautilus.MenuItem(name="PartDiff::upscale", label=label, icon="image-x-generic")
        item.connect("activate", lambda _: subprocess.Popen([PROGRAM, "desktop", "upscale", "--", *paths]))
        return [item]

    def get_background_items(self, *arguments):
        return []
