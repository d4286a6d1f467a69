"""Names what reading a mail guessed, replaced or lost."""

from enum import StrEnum


class Defect(StrEnum):
    """A fault of a mail that the reader can see. docs/mail.md lists them.

    They are stored in `extra.defects` of the message, in this order.
    """

    BASE64_INVALID = "base64_invalid"
    """A part in base64 contains other characters, which are ignored, or ends with an incomplete byte."""
