"""Prints the tables of the long form."""

import pytest

from tests.e2e.faults import LONG
from tests.support.faults import result_tables


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if LONG:
        for line in result_tables.printed():
            terminalreporter.write_line(line)
