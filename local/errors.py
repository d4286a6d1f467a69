"""What can be told to whoever started this in one line, without a traceback."""


class CannotStart(Exception):  # it reads as what it says
    """Something outside this code is in the way, and the message says what and how to put it right."""
