"""Removes addresses from the texts of providers, such as error messages, before they are stored."""

import re

from messaging.fields import clean_text

MAX_LENGTH = 500  # characters

_ADDRESS = re.compile(r'(?<![^\s<>()\[\],;:"@])[^\s<>()\[\],;:"@]++@[^\s<>()\[\],;:"]+')


def redact(text: object) -> str | None:
    """Replace each email address by `<address>`, and cut the text at MAX_LENGTH.

    Returns None if `text` is not a string, or is blank.
    """
    if not isinstance(text, str):
        return None
    text = clean_text(text[: 4 * MAX_LENGTH])  # cut first: the search takes time
    return _ADDRESS.sub("<address>", text).strip()[:MAX_LENGTH] or None
