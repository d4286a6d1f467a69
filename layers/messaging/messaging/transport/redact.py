"""What vendors say in their own words, fit to be kept: the contact's address is often among them."""

import re

from messaging.fields import cleaned

MAX_WORDS = 500  # characters

_ADDRESS = re.compile(r'(?<![^\s<>()\[\],;:"@])[^\s<>()\[\],;:"@]++@[^\s<>()\[\],;:"]+')


def said(told: object) -> str | None:
    """Bounded, and with every address as `<address>`; None of what says nothing, or is no text."""
    if not isinstance(told, str):
        return None
    return _ADDRESS.sub("<address>", cleaned(told[: 4 * MAX_WORDS])).strip()[:MAX_WORDS] or None
