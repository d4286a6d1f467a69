"""The process inside an environment: it calls a function's handler with prepared events, and measures it.

Started by path as `python -I -B worker.py <module> <folder> ...`. Each line of JSON on standard input names a
method of Worker with its arguments, and gets a line with its result. The function's output is discarded.
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
    """The context that Lambda passes to a handler."""

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

    def prepare(self, event: Any, kind: str = "repeated", count: int = 1, **fields: Any) -> dict[str, Any]:
        """Set the events: one that is `repeated`, a `list`, or `webhooks` or `sends` made from it."""
        if kind == "repeated":
            self._events = [event] * count
        elif kind == "list":
            self._events = event
        else:
            from bench.harness import events

            make = events.webhooks if kind == "webhooks" else events.sends
            self._events = list(islice(make(event, **fields), count))
        return {}

    def run(self, seconds: float = float("inf")) -> dict[str, Any]:
        """Call the handler until the time is over. Return the milliseconds of each call, and CPU seconds."""
        handler, context, clock = self._module.handler, Context(), time.perf_counter
        milliseconds: list[float] = []
        failures: list[str] = []
        cpu, started = time.process_time(), clock()
        end = started + seconds
        now = started
        for event in self._events:
            response = handler(event, context)
            previous, now = now, clock()
            milliseconds.append((now - previous) * 1000)
            if response.get("statusCode", 200) >= 300 or response.get("batchItemFailures"):
                failures.append(str(response)[:300])
            if now >= end:
                break
        cpu = time.process_time() - cpu
        self._events = self._events[len(milliseconds) :]
        return {"milliseconds": milliseconds, "seconds": now - started, "cpu": cpu, "failures": failures}

    def log_size(self) -> dict[str, Any]:
        """Call the handler with the first event, and return the size of its output."""
        sys.stdout.flush()  # output of earlier events
        with TemporaryFile() as log:
            discarded = os.dup(1)
            os.dup2(log.fileno(), 1)
            self._module.handler(self._events.pop(0), Context())
            sys.stdout.flush()
            os.dup2(discarded, 1)
            os.close(discarded)
            return {"bytes": os.fstat(log.fileno()).st_size}

    def measure(self, module: str, event: Any) -> Any:
        """Call `measure` of a module with this function."""
        return importlib.import_module(module).measure(self._module, event, Context())


def main(module: str, *folders: str) -> None:
    results = _take_over_stdout()
    sys.path[:0] = folders
    worker = Worker(importlib.import_module(module))
    _send(results, {})
    for line in sys.stdin:
        arguments = json.loads(line)
        method = getattr(worker, arguments.pop("method"))
        _send(results, method(**arguments))


def _take_over_stdout() -> TextIO:
    """Return a stream for results, and discard what the function prints."""
    results = os.fdopen(os.dup(1), "w", encoding="utf-8")
    discarded = os.open(os.devnull, os.O_WRONLY)
    os.dup2(discarded, 1)
    return results


def _send(results: TextIO, result: dict[str, Any]) -> None:
    results.write(json.dumps(result) + "\n")
    results.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
