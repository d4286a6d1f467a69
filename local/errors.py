"""The error that the command line shows in one line, without a traceback."""


class CannotStart(Exception):
    """Something outside this code is wrong. The message says what, and how to fix it."""
