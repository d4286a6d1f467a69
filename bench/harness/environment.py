"""A warm process that runs a function, seen from outside. worker.py is the process inside."""

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple, Self

import psutil

from bench.figure import percentile
from bench.harness.runtime import Runtime
from local.commands.openapi import ROOT

WORKER = Path(__file__).with_name("worker.py")


class RunResult(NamedTuple):
    """The result of one or several environments that ran at the same time."""

    rate: float
    """Requests per second."""
    milliseconds: list[float]
    """The time of each request."""
    cpu: float
    """CPU milliseconds of the functions' processes per request."""
    failures: list[str]
    postgres: float = 0
    """CPU milliseconds of Postgres per request; 0 if not measured."""

    @property
    def p50(self) -> float:
        return percentile(self.milliseconds, 50)

    @property
    def p99(self) -> float:
        return percentile(self.milliseconds, 99)


def time_fields(results: Sequence[RunResult]) -> dict[str, Any]:
    """Return fields of a Figure: the times of one request, as medians over the rounds."""
    return {
        "p50": median(result.p50 for result in results),
        "p99": median(result.p99 for result in results),
        "cpu": median(result.cpu for result in results),
    }


class Environment:
    def __init__(self, runtime: Runtime, function: str, variables: Mapping[str, str]) -> None:
        """`function` is the name of a function, or a module of this package such as bench.harness.bare."""
        if "." in function:
            module, folders = function, [*runtime.path, ROOT]
        else:
            module, folders = "app", [runtime.folder(function), *runtime.path, ROOT]
        command = [runtime.python, "-I", "-B", WORKER, module, *folders]
        self._process = subprocess.Popen(
            list(map(str, command)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=dict(variables),
            text=True,
        )
        self.receive()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def memory(self) -> float:
        """Return the resident memory of the process, in MiB."""
        resident: int = psutil.Process(self._process.pid).memory_info().rss
        return resident / 2**20

    def prepare(self, event: Any, kind: str = "repeated", count: int = 1, **fields: Any) -> None:
        """Set the events of the next runs (Worker.prepare)."""
        self.call("prepare", event=event, kind=kind, count=count, **fields)

    def log_size(self) -> int:
        """Run a prepared event, and return the size of its log in bytes."""
        size: int = self.call("log_size")["bytes"]
        return size

    def run(self, seconds: float = 3600) -> RunResult:
        return run_concurrently([self], seconds)

    def call(self, method: str, **arguments: Any) -> Any:
        """Call a method of Worker, and return its result."""
        self.send(method, **arguments)
        return self.receive()

    def send(self, method: str, **arguments: Any) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"method": method, **arguments}) + "\n")
        self._process.stdin.flush()

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()
        assert self._process.stdout
        self._process.stdout.close()

    def receive(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the function ended with {self._process.wait()}")
        return json.loads(line)


def run_concurrently(environments: Sequence[Environment], seconds: float = 3600) -> RunResult:
    """Run the prepared events of all environments at the same time."""
    for environment in environments:
        environment.send("run", seconds=seconds)
    results = [environment.receive() for environment in environments]
    milliseconds: list[float] = []
    failures: list[str] = []
    for result in results:
        milliseconds += result["milliseconds"]
        failures += result["failures"]
    rate = sum(len(result["milliseconds"]) / result["seconds"] for result in results)
    cpu = sum(result["cpu"] for result in results) * 1000 / len(milliseconds)
    return RunResult(rate, milliseconds, cpu, failures)


@contextmanager
def start_environments(
    count: int, runtime: Runtime, function: str, variables: Mapping[str, str]
) -> Iterator[list[Environment]]:
    with ExitStack() as undo:
        yield [undo.enter_context(Environment(runtime, function, variables)) for _ in range(count)]
