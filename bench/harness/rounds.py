"""Measures contenders in turn, so that a slow moment of the machine affects all of them."""

from collections.abc import Callable, Mapping
from typing import TypeVar

ROUNDS = 5

T = TypeVar("T")


def run_in_turn(contenders: Mapping[str, Callable[[], T]], rounds: int = ROUNDS) -> dict[str, list[T]]:
    """Return each contender's results. A first round warms up; every round begins with another contender."""
    results: dict[str, list[T]] = {name: [] for name in contenders}
    names = list(contenders)
    for turn in range(rounds + 1):
        start = turn % len(names)
        for name in names[start:] + names[:start]:
            result = contenders[name]()
            if turn:
                results[name].append(result)
    return results
