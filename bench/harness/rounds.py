"""Contenders in turn, so that a machine that slows down slows all of them down."""

from collections.abc import Callable, Mapping
from typing import TypeVar

ROUNDS = 5

T = TypeVar("T")


def in_turn(contenders: Mapping[str, Callable[[], T]], rounds: int = ROUNDS) -> dict[str, list[T]]:
    """What each gave in each round. A first round is left out, as warming up; who begins changes."""
    gave: dict[str, list[T]] = {name: [] for name in contenders}
    names = list(contenders)
    for turn in range(rounds + 1):
        start = turn % len(names)
        for name in names[start:] + names[:start]:
            given = contenders[name]()
            if turn:
                gave[name].append(given)
    return gave
