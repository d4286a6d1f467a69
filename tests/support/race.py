"""Races: tasks in several processes that start at the same moment."""

from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from tests.support.database import Database
from tests.support.waiting import eventually

PROCESSES = 8


class Race:
    """Starts tasks at the same moment: each waits for a table lock until all processes are ready."""

    def __init__(self, environments: ProcessPoolExecutor, referee: Database) -> None:
        self._environments = environments
        self._referee = referee

    def __call__(self, lock: str, task: Callable[..., Any], arguments: Iterable[Any]) -> list[Any]:
        """Returns the result of `task` for each argument. `lock` names tables, locked until all are ready."""
        self._referee.rows("BEGIN")
        self._referee.rows(f"LOCK TABLE {lock} IN SHARE ROW EXCLUSIVE MODE")
        running = [self._environments.submit(task, argument) for argument in arguments]
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        # The first race waits until every process has imported the product: eight processes on few cores.
        eventually(lambda: self._referee.value(waiting) == PROCESSES, 60)
        self._referee.rows("COMMIT")
        return [future.result() for future in running]
