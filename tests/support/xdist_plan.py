"""How two processes share the tests, each with a Postgres and stacks of its own."""

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling


class Scheduling(LoadFileScheduling):  # type: ignore[misc]  # it ships no types
    """A file's tests stay together, for what they share is made once; and so do all end-to-end tests, that no
    two stacks are put to the test at a time."""

    def _split_scope(self, nodeid: str) -> str:
        return "tests/e2e" if nodeid.startswith("tests/e2e/") else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    return Scheduling(config, log)
