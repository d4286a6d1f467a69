"""Inside an environment: a function's handler, called as often as it is told to, in a process of its own.

Started by path as `python -I -B worker.py <module> <folder> ...`. Orders and answers are lines of JSON on
standard input and output; what the function prints goes nowhere.
"""

import importlib
import json
import os
import sys
import time
from itertools import islice
from tempfile import TemporaryFile
from types import ModuleType
from typing import Any, TextIO


class Context:
    """What Lambda passes to a handler beside its event."""

    function_name = "bench"
    function_version = "$LATEST"
    memory_limit_in_mb = 1024
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:bench"
    aws_request_id = "00000000-0000-4000-8000-000000000000"

    def get_remaining_time_in_millis(self) -> int:
        return 28_000


class Worker:
    def __init__(self, module: ModuleType) -> None:
        self._module = module
        self._events: list[Any] = []

    def prepare(self, frame: Any, kind: str = "same", count: int = 1, **fields: Any) -> dict[str, Any]:
        """`frame` itself so often, each of `these`, or what bench.requests makes of it."""
        if kind == "same":
            self._events = [frame] * count
        elif kind == "these":
            self._events = frame
        else:
            from bench.harness import requests

            make = requests.webhooks if kind == "webhooks" else requests.sends
            self._events = list(islice(make(frame, **fields), count))
        return {}

    def run(self, seconds: float = float("inf")) -> dict[str, Any]:
        """As many as there is time for: milliseconds each, CPU seconds of all."""
        handler, context, clock = self._module.handler, Context(), time.perf_counter
        taken: list[float] = []
        failures: list[str] = []
        cpu, began = time.process_time(), clock()
        end = now = began
        end += seconds
        for event in self._events:
            answer = handler(event, context)
            then, now = now, clock()
            taken.append((now - then) * 1000)
            if answer.get("statusCode", 200) >= 300 or answer.get("batchItemFailures"):
                failures.append(str(answer)[:300])
            if now >= end:
                break
        cpu = time.process_time() - cpu
        self._events = self._events[len(taken) :]
        return {"taken": taken, "seconds": now - began, "cpu": cpu, "failures": failures}

    def printed(self) -> dict[str, Any]:
        """What the first of them prints, in bytes."""
        sys.stdout.flush()  # of the events before
        with TemporaryFile() as log:
            nowhere = os.dup(1)
            os.dup2(log.fileno(), 1)
            self._module.handler(self._events.pop(0), Context())
            sys.stdout.flush()
            os.dup2(nowhere, 1)
            os.close(nowhere)
            return {"bytes": os.fstat(log.fileno()).st_size}

    def measure(self, module: str, frame: Any) -> Any:
        """What a module's own `measure` finds about this function."""
        return importlib.import_module(module).measure(self._module, frame, Context())


def main(module: str, *folders: str) -> None:
    answers = _take_over_stdout()
    sys.path[:0] = folders
    worker = Worker(importlib.import_module(module))
    _say(answers, {})
    for line in sys.stdin:
        order = json.loads(line)
        _say(answers, getattr(worker, order.pop("do"))(**order))


def _take_over_stdout() -> TextIO:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    return answers


def _say(answers: TextIO, told: dict[str, Any]) -> None:
    answers.write(json.dumps(told) + "\n")
    answers.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
