"""The part of the Python package partdiff that needs no numpy; its modules come when the plug-in is installed."""
