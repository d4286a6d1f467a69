"""What the functions print, as CloudWatch gets it: log lines in JSON, and metrics in the embedded format."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


class Printed:
    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self._text = ""

    @property
    def text(self) -> str:
        """All of it until now, of standard error too."""
        captured = self._capsys.readouterr()
        self._text += captured.out + captured.err
        return self._text

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Every line is a JSON object, or this fails."""
        return [json.loads(line) for line in self.text.splitlines()]

    @property
    def logs(self) -> list[dict[str, Any]]:
        return [line for line in self.lines if "_aws" not in line]

    @property
    def metrics(self) -> dict[str, list[float]]:
        """The values of each metric, in the order in which they were counted."""
        values: dict[str, list[float]] = {}
        for line in self.lines:
            for directive in line.get("_aws", {}).get("CloudWatchMetrics", []):
                for metric in directive["Metrics"]:
                    values.setdefault(metric["Name"], []).extend(line[metric["Name"]])
        return values


@contextmanager
def printing(capsys: pytest.CaptureFixture[str]) -> Iterator[Printed]:
    """The logger writes where the test reads; it took hold of standard output when it was made."""
    import sys

    from messaging.telemetry import logger

    handler = logger.registered_handler
    assert isinstance(handler, logging.StreamHandler)
    before = handler.setStream(sys.stdout)
    yield Printed(capsys)
    handler.setStream(before or sys.__stdout__)
