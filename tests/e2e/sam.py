"""SAM's command line, as the tests of the built template run it, and the CPython that it builds with."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUNTIME = "3.13"
REGION = "us-east-1"


def interpreter() -> Path:
    """The CPython of the functions' Runtime; a test that needs it and finds none says so and does not run."""
    name = f"python{RUNTIME}"
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for candidate in (shutil.which(name), *pyenv.glob(f"versions/{RUNTIME}.*/bin/{name}")):
        if candidate and _runs(candidate):
            return Path(candidate)
    pytest.skip(f"no CPython {RUNTIME} on PATH or from pyenv: the built template was not tried")


def _runs(candidate: str | Path) -> bool:
    """A shim of pyenv's is there also where what it stands for is not."""
    return subprocess.run([candidate, "--version"], check=False, capture_output=True).returncode == 0


def environment(python: Path, **more: str) -> dict[str, str]:
    """This process's, with that interpreter first, and with nothing of the real AWS in it."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SAM_"))}
    return {
        **ours,
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
        "SAM_CLI_TELEMETRY": "0",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_DEFAULT_REGION": REGION,
        **more,
    }


def command(*arguments: str) -> list[str]:
    """SAM looks for its settings beside the template, and a built one lies elsewhere."""
    return [sys.executable, "-m", "samcli", *arguments, "--config-file", str(ROOT / "samconfig.toml")]


def run(*arguments: str, environment: Mapping[str, str]) -> str:
    """What `sam` writes to standard output; what else it says is in the failure."""
    done = subprocess.run(
        command(*arguments),
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, f"sam {arguments[0]}: {done.stderr[-4000:]}{done.stdout[-4000:]}"
    return done.stdout


def build(python: Path, cache: pytest.Cache) -> Path:
    """The built template. SAM builds again what has changed since the last run, and copies the rest."""
    folder = cache.mkdir("sam")
    places = ("--build-dir", str(folder / "build"), "--cache-dir", str(folder / "cache"))
    run("build", *places, environment=environment(python))
    return folder / "build" / "template.yaml"


def wait_until(condition: Callable[[], object], what: str, seconds: float = 30) -> None:
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, f"after {seconds} seconds still not: {what}"
        time.sleep(0.05)
