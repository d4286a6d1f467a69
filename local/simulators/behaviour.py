"""How the playing provider treats what it is sent: well, unless it is told otherwise."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError


@dataclass(frozen=True)
class Behaviour:
    """Of several that are told at once each has its share of the requests. One that has had its times leaves
    its share to those behind it."""

    status: int = 200
    retry_after: int | None = None
    retry_at: int | None = None
    """The same in the form of a date: so many seconds from the answer."""
    delay: float | tuple[float, float] = 0
    """Seconds until the answer, or from and to how many; the message is taken when it arrives."""
    body: str | dict[str, Any] | None = None
    """In place of the answer's own."""
    close: Literal["before", "after"] | None = None
    """`before` hangs up without having taken the message, `after` takes it and hangs up without an answer."""
    answer: Literal["garbage", "half", "drip"] | None = None
    """It takes the message, and in place of an answer comes noise, half of one, or one that never ends."""
    share: Annotated[float, Field(gt=0, le=1)] = 1
    """Of the requests; what all of them leave over is treated well."""
    times: Annotated[int, Field(ge=1)] | None = None
    """For how many requests it holds."""
    reports: Sequence[str] = ("sent", "delivered")
    report_delay: float = 0.2
    """Seconds from the message's arrival, whenever that is answered."""
    reference: bool = True
    """Whether the reports name our id beside the provider's."""

    @property
    def takes(self) -> bool:
        return self.status < 300 and self.close != "before"


class Behaviours:
    """What was told at once. A request's part in it depends on the seed and on the request alone, not on
    what comes beside it: the same requests meet the same, however they race."""

    def __init__(self, told: Sequence[Behaviour] = (), seed: int = 0) -> None:
        self._told = list(told)
        self._left = [one.times for one in told]
        self._seed = seed
        self._seen: Counter[tuple[str, str]] = Counter()

    def draw(self, path: str, reference: str) -> tuple[Behaviour, float]:
        """The behaviour towards the next request of this reference, and how many seconds it takes."""
        self._seen[path, reference] += 1
        chance = random.Random(f"{self._seed} {path} {reference} {self._seen[path, reference]}")
        drawn, below = chance.random(), 0.0
        for place, behaviour in enumerate(self._told):
            left = self._left[place]
            if left == 0:
                continue
            below += behaviour.share
            if drawn < below:
                self._left[place] = None if left is None else left - 1
                return behaviour, _seconds(behaviour.delay, chance)
        return Behaviour(), 0


def _seconds(delay: float | tuple[float, float], chance: random.Random) -> float:
    return chance.uniform(*delay) if isinstance(delay, tuple) else delay


_TOLD = TypeAdapter(list[Behaviour])


def read(told: object) -> list[Behaviour]:
    """One or several, from JSON. Raises ValueError, which says what is wrong."""
    listed = told if isinstance(told, list) else [told]
    known = sorted(field.name for field in fields(Behaviour))
    unknown = sorted({name for one in listed if isinstance(one, dict) for name in one} - set(known))
    if unknown:
        raise ValueError(f"unknown: {', '.join(unknown)}; known: {', '.join(known)}")
    try:
        return _TOLD.validate_python(listed)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{first['loc'][-1]}: {first['msg']}") from None
