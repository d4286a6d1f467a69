"""Races: tasks in several processes that start at the same moment."""

from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.synchronize import Barrier
from typing import Any

from messaging.postgres import database as product
from tests.support.database import Database
from tests.support.waiting import eventually

PROCESSES = 8
PATIENCE = 600  # seconds: long enough for eight interpreters on a machine with ten times the load

_barriers: list[Barrier] = []
"""In a process of the pool: the barrier that all its processes share."""


def join_pool(barrier: Barrier) -> None:
    """Initialize a process of the pool."""
    _barriers.append(barrier)


def get_ready(_: Callable[..., Any]) -> None:
    """Return when all processes have imported the task's module, which its argument does, and connected."""
    product.run("SELECT 1")
    _barriers[0].wait(PATIENCE)


class Race:
    """Starts tasks at the same moment: each waits for a table lock until all processes wait for it."""

    def __init__(self, environments: ProcessPoolExecutor, referee: Database) -> None:
        self._environments = environments
        self._referee = referee

    def __call__(self, lock: str, task: Callable[..., Any], arguments: Iterable[Any]) -> list[Any]:
        """Return the result of `task` for each argument. `lock` names tables, locked until all wait."""
        # Without this, the first tasks would wait for the lock while the other processes still import, and
        # would give up on a slow machine.
        for ready in [self._environments.submit(get_ready, task) for _ in range(PROCESSES)]:
            ready.result()
        self._referee.rows("BEGIN")
        self._referee.rows(f"LOCK TABLE {lock} IN SHARE ROW EXCLUSIVE MODE")
        running = [self._environments.submit(task, argument) for argument in arguments]
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        eventually(lambda: self._referee.value(waiting) == PROCESSES, PATIENCE)
        self._referee.rows("COMMIT")
        return [future.result() for future in running]
