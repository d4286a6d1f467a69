"""What the functions print, as CloudWatch gets it: log lines in JSON, and metrics in the embedded format."""

import io
import json
import logging
import sys
from typing import Any

import pytest


class Printed:
    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self._text = ""

    @property
    def text(self) -> str:
        """The whole output until now, with standard error."""
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


class StandardOutput(io.TextIOBase):
    """The current standard output: pytest replaces it for each phase of each test."""

    def write(self, text: str) -> int:
        return sys.stdout.write(text)

    def flush(self) -> None:
        sys.stdout.flush()


def let_the_logger_print() -> None:
    """Make the logger print to the current standard output, and not to that of the time of its import."""
    from messaging.telemetry import logger

    handler = logger.registered_handler
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(StandardOutput())
