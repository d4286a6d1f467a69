"""A process that runs a function warm, seen from outside; inside is worker.py."""

import json
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

import psutil

from bench.figure import middle, percentile
from bench.harness.runtime import Runtime
from local.commands.openapi import ROOT

WORKER = Path(__file__).with_name("worker.py")


class Ran(NamedTuple):
    """What one or several environments did at the same time."""

    rate: float
    """Requests a second."""
    taken: list[float]
    """Milliseconds of each."""
    cpu: float
    """Milliseconds of a request, of the functions' processes."""
    failures: list[str]
    postgres: float = 0
    """Milliseconds of a request, of Postgres' processes; 0 where they were not looked at."""

    @property
    def p50(self) -> float:
        return percentile(self.taken, 50)

    @property
    def p99(self) -> float:
        return percentile(self.taken, 99)


def times(rans: Sequence[Ran]) -> dict[str, Any]:
    """Of one request, in the middle round: fields of a Figure."""
    return {
        "p50": middle(ran.p50 for ran in rans),
        "p99": middle(ran.p99 for ran in rans),
        "cpu": middle(ran.cpu for ran in rans),
    }


class Environment:
    def __init__(self, runtime: Runtime, function: str, variables: Mapping[str, str]) -> None:
        """`function` is the name of a folder of ours, or of a module of this package: bench.harness.bare."""
        module, folder = (function, []) if "." in function else ("app", [runtime.folder(function)])
        command = [runtime.python, "-I", "-B", WORKER, module, *folder, *runtime.path, ROOT]
        self._process = subprocess.Popen(
            list(map(str, command)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=dict(variables),
            text=True,
        )
        self._answer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def memory(self) -> float:
        """MiB of it that are in memory now."""
        resident: int = psutil.Process(self._process.pid).memory_info().rss
        return resident / 2**20

    def prepare(self, frame: Any, kind: str = "same", count: int = 1, **fields: Any) -> None:
        """The events of the next runs."""
        self.do("prepare", frame=frame, kind=kind, count=count, **fields)

    def printed(self) -> int:
        """Bytes of log of one of the events that are prepared."""
        count: int = self.do("printed")["bytes"]
        return count

    def run(self, seconds: float = 3600) -> Ran:
        return together([self], seconds)

    def do(self, order: str, **fields: Any) -> Any:
        self.begin(order, **fields)
        return self.end()

    def begin(self, order: str, **fields: Any) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"do": order, **fields}) + "\n")
        self._process.stdin.flush()

    def end(self) -> Any:
        return self._answer()

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()
        assert self._process.stdout
        self._process.stdout.close()

    def _answer(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the function ended with {self._process.wait()}")
        return json.loads(line)


def together(environments: Iterable[Environment], seconds: float = 3600) -> Ran:
    """Runs what each has prepared, all at once."""
    running = list(environments)
    for one in running:
        one.begin("run", seconds=seconds)
    ran = [one.end() for one in running]
    taken = [milliseconds for one in ran for milliseconds in one["taken"]]
    return Ran(
        sum(len(one["taken"]) / one["seconds"] for one in ran),
        taken,
        sum(one["cpu"] for one in ran) * 1000 / len(taken),
        [failure for one in ran for failure in one["failures"]],
    )


@contextmanager
def several(
    count: int, runtime: Runtime, function: str, variables: Mapping[str, str]
) -> Iterator[list[Environment]]:
    made: list[Environment] = []
    try:
        made.extend(Environment(runtime, function, variables) for _ in range(count))
        yield made
    finally:
        for one in made:
            one.close()
