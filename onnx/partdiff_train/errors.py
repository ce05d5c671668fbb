"""Errors that the user can fix."""


class InputError(ValueError):
    """An invalid file, directory or option; the message names it and what was expected."""
