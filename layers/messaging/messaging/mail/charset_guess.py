"""Guesses the encoding of a text that has no label, or a wrong one, and is not UTF-8."""


def guess_encoding(content: bytes) -> str:
    """Return the name of an encoding, as charset_labels does."""
    return "windows-1252"
