"""Runs `python -m local` as a process of its own."""

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
    """A run on free ports, with an embedded Postgres. `output` is what it has printed so far."""

    def __init__(self, folder: Path, *arguments: str, template: Path) -> None:
        self.ports = {option: ports.choose("127.0.0.1", 0, option) for option in PORT_OPTIONS}
        self.url = f"http://127.0.0.1:{self.ports['--port']}"
        self._output = folder / "output"
        with self._output.open("wb") as output:
            command = [sys.executable, "-m", "local", "--data", str(folder / "data")]
            command += ["--template", str(template)]
            for option, port in self.ports.items():
                command += [option, str(port)]
            self.process = subprocess.Popen(
                [*command, *arguments],
                cwd=ROOT,
                env={name: value for name, value in os.environ.items() if name != "DATABASE_URL"},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def output(self) -> str:
        return self._output.read_text()

    def wait_for(self, text: str) -> None:
        """Wait until the run has printed a text. Fails if it ends before."""
        eventually(lambda: text in self.output or self.process.poll() is not None, 60)
        assert text in self.output, self.output

    def processes(self) -> list[psutil.Process]:
        """Return the process of the command and all its descendants."""
        runner = psutil.Process(self.process.pid)
        return [runner, *runner.children(recursive=True)]

    def stop(self, number: int = signal.SIGTERM) -> int:
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
        run.wait_for("Ready")
        yield run
    finally:
        if run.process.poll() is None:
            run.stop()


def all_gone(processes: list[psutil.Process]) -> bool:
    """Wait until all processes have ended. Fails with those that do not end."""
    _, alive = psutil.wait_procs(processes, timeout=20)
    assert not alive, [process.cmdline() for process in alive]
    return True
