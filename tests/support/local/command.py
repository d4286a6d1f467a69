"""`python -m local` as a process of its own, with all that it starts."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pg8000.native
import psutil

from local.services import ports
from tests.support.waiting import eventually

ROOT = Path(__file__).resolve().parents[3]
PORT_OPTIONS = ("--port", "--lambda-port", "--postgres-port", "--aws-port", "--provider-port")


class Run:
    """On free ports, with a Postgres of its own. Whatever it printed so far is in `output`."""

    def __init__(self, folder: Path, *arguments: str, template: Path) -> None:
        self.ports = {option: ports.choose("127.0.0.1", 0, option) for option in PORT_OPTIONS}
        self.url = f"http://127.0.0.1:{self.ports['--port']}"
        self._output = folder / "output"
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "local", "--data", str(folder / "kept"), "--template", str(template)]
                + [text for option, port in self.ports.items() for text in (option, str(port))]
                + list(arguments),
                cwd=ROOT,
                env={name: value for name, value in os.environ.items() if name != "DATABASE_URL"},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def output(self) -> str:
        return self._output.read_text()

    def says(self, text: str) -> None:
        eventually(lambda: text in self.output or self.process.poll() is not None, 60)
        assert text in self.output, self.output

    def family(self) -> list[psutil.Process]:
        """It, and every process below it."""
        runner = psutil.Process(self.process.pid)
        return [runner, *runner.children(recursive=True)]

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)

    def sql(self, statement: str) -> list[list[object]]:
        port = self.ports["--postgres-port"]
        with pg8000.native.Connection(
            "messaging", "127.0.0.1", "messaging", port, "messaging", ssl_context=False
        ) as connection:
            return list(connection.run(statement) or [])


@contextmanager
def started(folder: Path, *arguments: str, template: Path) -> Iterator[Run]:
    run = Run(folder, *arguments, template=template)
    try:
        run.says("Ready")
        yield run
    finally:
        if run.process.poll() is None:
            run.end()


def gone(processes: list[psutil.Process]) -> bool:
    """Whether none is left once each had its time to notice; fails with those that are."""
    _, alive = psutil.wait_procs(processes, timeout=20)
    assert not alive, [process.cmdline() for process in alive]
    return True
