"""The checks: `lint` reads the code, `check` also tries migrations, template and build. `test` is the gate:
it runs `check`, then the tests. `faults` runs the tests of crashes and outages for several minutes."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from local.commands import audit
from local.functions import runtime
from local.options import PROJECT
from local.services import ports
from local.services.postgres import Postgres

Say = Callable[[str], None]
MYPY = ("mypy", "--config-file", "pyproject.toml")


class Step(NamedTuple):
    name: str
    module: tuple[str, ...]
    """The arguments after `python -m`."""
    variables: dict[str, str] = {}  # noqa: RUF012  # nothing changes this default


def check(say: Say) -> int:
    """Run every check. Returns 0, or 1 if any failed: one failure does not hide another."""
    return _run(say, _style(), _types(), _run_tools(say), _audits(say))


def lint(say: Say) -> int:
    return _run(say, _style(), _types())


def types(say: Say) -> int:
    return _run(say, _types())


def _run(say: Say, *groups: Iterator[Step]) -> int:
    """Run groups of steps side by side, and the steps of a group one after another."""

    def run(steps: Iterator[Step]) -> list[str]:
        return [step.name for step in steps if not _passes(step, say)]

    with ThreadPoolExecutor() as threads:
        failed = [*chain.from_iterable(threads.map(run, groups))]
    if failed:
        say(f"Failed: {', '.join(failed)}")
        return 1
    say("All checks passed")
    return 0


def test(say: Say) -> int:
    if check(say):
        return 1
    return _pytest("-n", "2", "-p", "tests.support.xdist_plan", "--cov", "--cov-report=term")


def faults(say: Say) -> int:
    say("Running the tests of crashes and outages for several minutes, then showing their tables")
    return _pytest("tests/e2e/faults", FAULTS="long")


def _pytest(*arguments: str, **variables: str) -> int:
    command = [sys.executable, "-m", "pytest", *arguments]
    return subprocess.run(command, cwd=PROJECT, env={**os.environ, **variables}, check=False).returncode


def _style() -> Iterator[Step]:
    yield Step("ruff check", ("ruff", "check", "--quiet", "."))
    yield Step("ruff format", ("ruff", "format", "--check", "--quiet", "."))
    yield Step("codespell", ("codespell_lib",))
    yield Step("pins", ("local.commands.pins",))


def _types() -> Iterator[Step]:
    yield Step("mypy", (*MYPY, "layers/messaging/messaging", "local", "bench", "tests"))
    for app in sorted((PROJECT / "functions").glob("*/app.py")):
        # Separately, because each module is named app and imports modules from its own folder.
        files = (str(file) for file in app.parent.glob("*.py"))
        yield Step(f"mypy {app.parent.name}", (*MYPY, *files), {"MYPYPATH": str(app.parent)})


def _run_tools(say: Say) -> Iterator[Step]:
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
            say(f"sam build: skipped, because there is no CPython {runtime.VERSION} on PATH or from pyenv")
            return
        variables = {"PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"}
        yield Step("sam build", ("samcli", "build"), variables)


def _audits(say: Say) -> Iterator[Step]:
    if audit.reachable():
        yield Step("pip-audit", audit.command())
    else:
        say(f"pip-audit: skipped, because {audit.SERVICE} does not answer")


def _passes(step: Step, say: Say) -> bool:
    environment = {**os.environ, "SAM_CLI_TELEMETRY": "0", **step.variables}
    completed = subprocess.run(
        [sys.executable, "-m", *step.module],
        cwd=PROJECT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    say(f"{step.name}: {'ok' if completed.returncode == 0 else 'FAILED'}")
    if completed.returncode != 0:
        say(completed.stdout)
    return completed.returncode == 0
