"""The gate: `check` looks at the code without running it, `test` does that and then runs the tests; `faults`
runs those of crashes and outages at length."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from local.backing import PROJECT
from local.commands import audit
from local.functions import runtime
from local.services import ports
from local.services.postgres import Postgres

Say = Callable[[str], None]
MYPY = ("mypy", "--config-file", "pyproject.toml")


class Step(NamedTuple):
    name: str
    module: tuple[str, ...]
    """What comes after `python -m`."""
    variables: dict[str, str] = {}  # noqa: RUF012  # a default of a tuple's field, which nobody changes


def check(say: Say) -> int:
    """Runs every check; gives 0, or 1 where any failed: one failure does not hide another."""

    def run(steps: Iterator[Step]) -> list[str]:
        return [step.name for step in steps if not _passes(step, say)]

    with ThreadPoolExecutor() as threads:
        failed = [*chain.from_iterable(threads.map(run, (_readings(), _trials(say), _audits(say))))]
    say(f"Failed: {', '.join(failed)}" if failed else "All checks passed")
    return 1 if failed else 0


def test(say: Say) -> int:
    if check(say):
        return 1
    return _pytest("-n", "2", "-p", "tests.support.xdist_plan")


def faults(say: Say) -> int:
    say("Crashes and outages at length: several minutes, and then the tables")
    return _pytest("tests/e2e/faults", FAULTS="long")


def _pytest(*arguments: str, **variables: str) -> int:
    command = [sys.executable, "-m", "pytest", *arguments]
    return subprocess.run(command, cwd=PROJECT, env={**os.environ, **variables}, check=False).returncode


def _readings() -> Iterator[Step]:
    yield Step("ruff check", ("ruff", "check", "--quiet", "."))
    yield Step("ruff format", ("ruff", "format", "--check", "--quiet", "."))
    yield Step("mypy", (*MYPY, "layers/messaging/messaging", "local", "bench", "tests"))
    for app in sorted((PROJECT / "functions").glob("*/app.py")):
        # One at a time, as they run: each calls itself app, and imports what lies beside it.
        files = (str(file) for file in app.parent.glob("*.py"))
        yield Step(f"mypy {app.parent.name}", (*MYPY, *files), {"MYPYPATH": str(app.parent)})


def _trials(say: Say) -> Iterator[Step]:
    with tempfile.TemporaryDirectory(prefix="messaging-") as folder:
        server = Postgres(Path(folder), ports.choose("127.0.0.1", 0, ""), durable=False)
        server.start()
        try:
            variables = {"DATABASE_URL": server.url}
            yield Step("migrations", ("alembic", "upgrade", "head"), variables)
            yield Step("alembic check", ("alembic", "check"), variables)
        finally:
            server.stop()
        yield Step("sam validate", ("samcli", "validate", "--lint"))
        python = runtime.interpreter()
        if python is None:
            say(f"sam build: not run, for there is no CPython {runtime.VERSION} on PATH or from pyenv")
            return
        variables = {"PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"}
        yield Step("sam build", ("samcli", "build"), variables)


def _audits(say: Say) -> Iterator[Step]:
    if audit.reachable():
        yield Step("pip-audit", audit.command())
    else:
        say(f"pip-audit: not run, for {audit.SERVICE} does not answer")


def _passes(step: Step, say: Say) -> bool:
    environment = {**os.environ, "SAM_CLI_TELEMETRY": "0", **step.variables}
    done = subprocess.run(
        [sys.executable, "-m", *step.module],
        cwd=PROJECT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    say(f"{step.name}: {'ok' if done.returncode == 0 else 'FAILED'}")
    if done.returncode != 0:
        say(done.stdout)
    return done.returncode == 0
