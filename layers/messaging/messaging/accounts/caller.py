"""Who calls, and what they may do."""

from typing import Literal, NamedTuple

Scope = Literal["send", "read", "admin"]


class Caller(NamedTuple):
    account: int
    name: str
    """For the audit: "key:3", or "operator"."""
