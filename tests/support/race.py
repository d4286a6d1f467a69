"""Processes that begin together."""

from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from tests.support.database import Database
from tests.support.waiting import eventually

PROCESSES = 8


class Race:
    """Lets processes begin together: each waits at the database for the others."""

    def __init__(self, environments: ProcessPoolExecutor, referee: Database) -> None:
        self._environments = environments
        self._referee = referee

    def __call__(self, lock: str, task: Callable[..., Any], arguments: Iterable[Any]) -> list[Any]:
        """What `task` gives for each argument; nobody writes to the tables of `lock` before all are there."""
        self._referee.rows("BEGIN")
        self._referee.rows(f"LOCK TABLE {lock} IN SHARE ROW EXCLUSIVE MODE")
        running = [self._environments.submit(task, argument) for argument in arguments]
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        # The first race of all waits for the processes to import the product, eight on two cores.
        eventually(lambda: self._referee.value(waiting) == PROCESSES, 60)
        self._referee.rows("COMMIT")
        return [one.result() for one in running]
