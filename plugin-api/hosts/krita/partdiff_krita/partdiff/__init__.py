"""The part of the Python package partdiff that needs no numpy; its modules are put here when the plug-in is installed."""
