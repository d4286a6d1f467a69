"""The caller of an API request, and the scopes of API keys."""

from typing import Literal, NamedTuple

Scope = Literal["send", "read", "admin"]


class Caller(NamedTuple):
    account: int
    """The account's id; 0 for an operator."""
    name: str
    """The actor in the audit log: "key:3", or "operator"."""
