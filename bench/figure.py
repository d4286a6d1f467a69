"""One figure: what was measured, and what is wanted of it."""

import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Any

AT_LEAST, AT_MOST, EXACTLY = ">=", "<=", "="
_HOLDS = {AT_LEAST: operator.ge, AT_MOST: operator.le, EXACTLY: operator.eq}


@dataclass(frozen=True)
class Figure:
    name: str
    value: float | None
    """None where it could not be measured; then `note` says why."""
    unit: str = ""
    wanted: tuple[str, float] | None = None
    """AT_LEAST, AT_MOST or EXACTLY, and the mark; None where there is none."""
    p50: float | None = None
    """Milliseconds, as p99 and cpu: of one request, on the wall and of the function's process."""
    p99: float | None = None
    cpu: float | None = None
    rounds: Sequence[float] = ()
    """Of which the value is the median."""
    note: str = ""
    bars: Mapping[str, float] = field(default_factory=dict)
    """For the picture: what stands beside what."""
    more: Mapping[str, Any] = field(default_factory=dict)
    """For the JSON alone."""

    @property
    def missed(self) -> bool:
        return (
            self.wanted is not None
            and self.value is not None
            and not _HOLDS[self.wanted[0]](self.value, self.wanted[1])
        )


def percentile(values: Sequence[float], percent: int) -> float:
    return quantiles(values, n=100, method="inclusive")[percent - 1] if len(values) > 1 else values[0]


def middle(values: Iterable[float]) -> float:
    return median(values)


def of_rounds(name: str, rounds: Sequence[float], **fields: Any) -> Figure:
    return Figure(name, median(rounds), rounds=tuple(rounds), **fields)
