"""What vendors say in their own words, fit to be kept: the contact's address is often among them."""

import re

from messaging.fields import clean_text

MAX_LENGTH = 500  # characters

_ADDRESS = re.compile(r'(?<![^\s<>()\[\],;:"@])[^\s<>()\[\],;:"@]++@[^\s<>()\[\],;:"]+')


def redact(told: object) -> str | None:
    """Bounded, and with every address as `<address>`; None of what says nothing, or is no text."""
    if not isinstance(told, str):
        return None
    return _ADDRESS.sub("<address>", clean_text(told[: 4 * MAX_LENGTH])).strip()[:MAX_LENGTH] or None
