"""What a provider can do with a request, and what is to become of the message."""

from typing import Any, NamedTuple

from local import Behaviour

ATTEMPTS = 3
"""What MaxAttempts is for all this."""
HANGS = 60  # seconds: longer than anybody waits

End = tuple[str, str | None]
"""A status and its code."""
SENT: End = ("sent", None)


SILENT = Behaviour(reports=())
"""Nothing but the answers tells what became of a message."""


class Fate(NamedTuple):
    """`ends` is how each attempt ends where nobody can be asked; the last one's is the message's. `taken`
    says of an unknown outcome whether the provider has the message."""

    name: str
    told: Behaviour | None
    ends: tuple[End, ...]
    taken: bool = False
    wait: float = 0
    """Seconds that are at least between the first call and the second."""

    @property
    def unknown(self) -> bool:
        return self.ends[-1][0] == "unknown"


def _once(name: str, *ends: End, wait: float = 0, **told: Any) -> Fate:
    return Fate(name, Behaviour(**told, reports=(), times=1), ends, wait=wait)


def _for_ever(name: str, told: Behaviour | None, code: str) -> Fate:
    return Fate(name, told, (*[("queued", code)] * (ATTEMPTS - 1), ("failed", code)))


def _taken(name: str, code: str = "no_answer", **told: Any) -> Fate:
    return Fate(name, Behaviour(**told, reports=(), times=1), (("unknown", code),), taken=True)


def _not_taken(name: str, told: Behaviour | None) -> Fate:
    return Fate(name, told, (("unknown", "no_answer"),))


UNREAD = _not_taken("closes the socket before reading", None)
REFUSED = _for_ever("refuses every connection", None, "not_connected")
FATES = [
    _once("takes it", SENT),
    _once("takes it after 8 seconds", SENT, delay=8),
    _once("answers 429, Retry-After: 3", ("queued", "429"), SENT, wait=3, status=429, retry_after=3),
    _once("answers 429, Retry-After: a date", ("queued", "429"), SENT, wait=3, status=429, retry_at=4),
    *(
        _once(f"answers {status}", ("queued", str(status)), SENT, status=status)
        for status in (302, 401, 403, 404, 408, 425, 429, 500, 503)
    ),
    _for_ever("answers 503 for ever", Behaviour(status=503), "503"),
    REFUSED,
    *(_once(f"answers {status}", ("failed", str(status)), status=status) for status in (400, 410, 422)),
    UNREAD,
    _not_taken("closes the socket after reading", Behaviour(close="before", times=1)),
    _not_taken("hangs", Behaviour(delay=HANGS, close="before", times=1)),
    _taken("takes it and closes the socket", close="after"),
    _taken("takes it and hangs", delay=HANGS, close="after"),
    _taken("answers after the time-out", delay=12),
    _taken("sends garbage", answer="garbage"),
    _taken("sends half an answer", answer="half"),
    _taken("drips", answer="drip"),
    _taken("answers without an id", "unreadable_answer", body="{}"),
]
