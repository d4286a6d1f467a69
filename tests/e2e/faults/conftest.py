"""Prints the tables of the long form. Every test of this folder has the marker `faults`."""

from pathlib import Path

import pytest

from tests.e2e.faults import LONG
from tests.support.faults import result_tables

FOLDER = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(FOLDER):
            item.add_marker(pytest.mark.faults)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if LONG:
        for line in result_tables.printed():
            terminalreporter.write_line(line)
