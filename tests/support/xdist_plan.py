"""Distributes the tests over two processes. Each has its own Postgres and stacks."""

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling


class Scheduling(LoadFileScheduling):  # type: ignore[misc]  # it ships no types
    """Keeps the tests of a file in one process, because they share fixtures.

    All end-to-end tests stay in one process, so that two stacks do not slow each other down.
    """

    def _split_scope(self, nodeid: str) -> str:
        return "tests/e2e" if nodeid.startswith("tests/e2e/") else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    return Scheduling(config, log)
