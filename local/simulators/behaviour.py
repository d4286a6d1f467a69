"""How the provider simulator treats the requests that it receives."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError


@dataclass(frozen=True)
class Behaviour:
    """One way to treat a request. Several can be set at once; each applies to its share of the requests.

    A behaviour that has applied `times` times leaves its share to the behaviours after it.
    """

    status: int = 200
    accepts: bool = False
    """Accepts the message, and responds with `status` nevertheless."""
    retry_after: int | None = None
    """Seconds in the header Retry-After."""
    retry_at: int | None = None
    """The same as a date: this many seconds after the response."""
    delay: float | tuple[float, float] = 0
    """Seconds before the response, or a range of seconds. The message is accepted before the delay."""
    body: str | dict[str, Any] | None = None
    """The body of the response, instead of the vendor's own."""
    close: Literal["before", "after"] | None = None
    """Closes the connection without a response, before or after the message is accepted."""
    answer: Literal["garbage", "half", "drip"] | None = None
    """Accepts the message, and responds with noise, with half a response, or with one that never ends."""
    share: Annotated[float, Field(gt=0, le=1)] = 1
    """The share of requests that it applies to. Requests outside all shares are treated normally."""
    times: Annotated[int, Field(ge=1)] | None = None
    """How many requests it applies to; None is all."""
    reports: Sequence[str] = ("sent", "delivered")
    report_delay: float = 0.2
    """Seconds between the arrival of the message and its first report, whatever `delay` is."""
    reference: bool = True
    """Whether the reports carry our message id beside the provider's."""

    @property
    def accepts_message(self) -> bool:
        return self.accepts or (self.status < 300 and self.close != "before")


class Behaviours:
    """Chooses a behaviour for each request.

    The choice depends only on the seed and on the request, not on concurrent requests, so a test that sends
    the same requests again sees the same behaviours.
    """

    def __init__(self, behaviours: Sequence[Behaviour] = (), seed: int = 0) -> None:
        self._behaviours = list(behaviours)
        self._times_left = [behaviour.times for behaviour in behaviours]
        self._seed = seed
        self._request_counts: Counter[tuple[str, str]] = Counter()

    def choose(self, path: str, reference: str) -> tuple[Behaviour, float]:
        """Return the behaviour for the next request with a reference, and its delay in seconds."""
        self._request_counts[path, reference] += 1
        repetition = self._request_counts[path, reference]
        generator = random.Random(f"{self._seed} {path} {reference} {repetition}")
        number, upper_bound = generator.random(), 0.0
        for index, behaviour in enumerate(self._behaviours):
            times_left = self._times_left[index]
            if times_left == 0:
                continue
            upper_bound += behaviour.share
            if number < upper_bound:
                if times_left is not None:
                    self._times_left[index] = times_left - 1
                return behaviour, _delay_seconds(behaviour.delay, generator)
        return Behaviour(), 0


def _delay_seconds(delay: float | tuple[float, float], generator: random.Random) -> float:
    return generator.uniform(*delay) if isinstance(delay, tuple) else delay


_BEHAVIOURS = TypeAdapter(list[Behaviour])


def parse_behaviours(value: object) -> list[Behaviour]:
    """Read a behaviour or a list of behaviours from JSON. Raises ValueError that says what is wrong."""
    items = value if isinstance(value, list) else [value]
    field_names = {field.name for field in fields(Behaviour)}
    unknown: set[str] = set()
    for item in items:
        if isinstance(item, dict):
            unknown |= item.keys() - field_names
    if unknown:
        raise ValueError(
            f"unknown fields: {', '.join(sorted(unknown))}; valid fields: {', '.join(sorted(field_names))}"
        )
    try:
        return _BEHAVIOURS.validate_python(items)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{first['loc'][-1]}: {first['msg']}") from None
