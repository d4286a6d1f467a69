"""What a provider can do with a request, and the expected outcome of the message."""

from typing import Any, NamedTuple

from local import Behaviour

ATTEMPTS = 3
"""The setting MaxAttempts of these tests."""
NEVER = 60
"""Seconds of delay that are longer than any timeout."""

End = tuple[str, str | None]
"""A status and its code."""
SENT: End = ("sent", None)


SILENT = Behaviour(reports=())
"""No reports: only the answers tell the outcome."""


class Scenario(NamedTuple):
    """What a provider does. `ends` is how each attempt ends without status lookup; the last end is the
    message's. `accepted` says whether the provider has a message of unknown outcome."""

    name: str
    behaviour: Behaviour | None
    """None if it is not the simulator that misbehaves, but its connection."""
    ends: tuple[End, ...]
    accepted: bool = False
    wait: float = 0
    """The least number of seconds between the first and the second call."""

    @property
    def unknown(self) -> bool:
        return self.ends[-1][0] == "unknown"


def _once(name: str, *ends: End, wait: float = 0, **behaviour: Any) -> Scenario:
    return Scenario(name, Behaviour(**behaviour, reports=(), times=1), ends, wait=wait)


def _every_time(name: str, behaviour: Behaviour | None, code: str) -> Scenario:
    return Scenario(name, behaviour, (*[("queued", code)] * (ATTEMPTS - 1), ("failed", code)))


def _accepted(name: str, code: str = "no_answer", **behaviour: Any) -> Scenario:
    return Scenario(name, Behaviour(**behaviour, reports=(), times=1), (("unknown", code),), accepted=True)


def _not_accepted(name: str, behaviour: Behaviour | None, code: str = "no_answer") -> Scenario:
    return Scenario(name, behaviour, (("unknown", code),))


UNREAD = _not_accepted("closes the socket before reading", None)
REFUSED = _every_time("refuses every connection", None, "not_connected")
SCENARIOS = [
    _once("takes it", SENT),
    _once("takes it after 8 seconds", SENT, delay=8),
    _once("answers 429, Retry-After: 3", ("queued", "429"), SENT, wait=3, status=429, retry_after=3),
    _once("answers 429, Retry-After: a date", ("queued", "429"), SENT, wait=3, status=429, retry_at=4),
    *(
        _once(f"answers {status}", ("queued", str(status)), SENT, status=status)
        for status in (302, 401, 403, 404, 408, 425, 429, 503)
    ),
    _every_time("answers 503 every time", Behaviour(status=503), "503"),
    REFUSED,
    *(_once(f"answers {status}", ("failed", str(status)), status=status) for status in (400, 410, 422)),
    UNREAD,
    _not_accepted("closes the socket after reading", Behaviour(close="before", times=1)),
    _not_accepted("hangs", Behaviour(delay=NEVER, close="before", times=1)),
    _accepted("takes it and closes the socket", close="after"),
    _accepted("takes it and hangs", delay=NEVER, close="after"),
    _accepted("answers after the timeout", delay=12),
    _accepted("sends garbage", answer="garbage"),
    _accepted("sends half an answer", answer="half"),
    _accepted("answers byte by byte", answer="drip"),
    _accepted("answers without an id", "unreadable_answer", body="{}"),
    *(
        scenario
        for status in (500, 502)
        for scenario in (
            _accepted(f"takes it and answers {status}", str(status), status=status, accepts=True),
            _not_accepted(f"answers {status}", Behaviour(status=status, times=1), str(status)),
        )
    ),
]
