"""A figure: what was measured, and its target."""

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Any

AT_LEAST, AT_MOST, EXACTLY = ">=", "<=", "="
_HOLDS = {AT_LEAST: operator.ge, AT_MOST: operator.le, EXACTLY: operator.eq}


@dataclass(frozen=True)
class Figure:
    name: str
    value: float | None
    """None if it could not be measured; `note` then says why."""
    unit: str = ""
    wanted: tuple[str, float] | None = None
    """The target: AT_LEAST, AT_MOST or EXACTLY, and a value. None if there is no target."""
    p50: float | None = None
    """Milliseconds of one request. cpu is that of the function's process."""
    p99: float | None = None
    cpu: float | None = None
    rounds: Sequence[float] = ()
    """The values of the rounds. `value` is their median."""
    note: str = ""
    bars: Mapping[str, float] = field(default_factory=dict)
    """The bars of the figure in the picture, by their labels."""
    more: Mapping[str, Any] = field(default_factory=dict)
    """More data, for the JSON file only."""

    @property
    def missed(self) -> bool:
        """Whether the figure was measured and misses its target."""
        if self.wanted is None or self.value is None:
            return False
        relation, target = self.wanted
        return not _HOLDS[relation](self.value, target)


def percentile(values: Sequence[float], percent: int) -> float:
    return quantiles(values, n=100, method="inclusive")[percent - 1] if len(values) > 1 else values[0]


def figure_of_rounds(name: str, rounds: Sequence[float], **fields: Any) -> Figure:
    return Figure(name, median(rounds), rounds=tuple(rounds), **fields)
