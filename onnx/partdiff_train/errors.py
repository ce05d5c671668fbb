"""What the user can mend."""


class InputError(ValueError):
    """A file, folder or option that does not hold; the message names it and what was expected."""
