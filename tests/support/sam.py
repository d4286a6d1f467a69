"""SAM's command line, as the tests of the built template run it, and the CPython that it builds with."""

import os
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

from local.functions import runtime

ROOT = Path(__file__).parents[2]
REGION = "us-east-1"


def interpreter() -> Path:
    """A test that needs it and finds none says so and does not run."""
    found = runtime.interpreter()
    if found is None:
        pytest.skip(f"no CPython {runtime.VERSION} on PATH or from pyenv: the built template was not tried")
    return found


def environment(python: Path, **more: str) -> dict[str, str]:
    """This process's, with that interpreter first. Given credentials, SAM would ask AWS whose they are."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SAM_"))}
    return {
        **ours,
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
        "SAM_CLI_TELEMETRY": "0",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_DEFAULT_REGION": REGION,
        **more,
    }


def command(*arguments: str) -> list[str]:
    """SAM looks for its settings beside the template, and a built one lies elsewhere."""
    return [sys.executable, "-m", "samcli", *arguments, "--config-file", str(ROOT / "samconfig.toml")]


def run(*arguments: str, environment: Mapping[str, str]) -> str:
    """What `sam` writes to standard output. The rest, with a function's log, is shown where a test fails."""
    done = subprocess.run(
        command(*arguments),
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    sys.stderr.write(done.stderr)
    assert done.returncode == 0, f"sam {arguments[0]}: {done.stderr[-4000:]}{done.stdout[-4000:]}"
    return done.stdout


@cache
def build(python: Path) -> Path:
    """The built template, where `sam build` leaves it. SAM builds what has changed and copies the rest."""
    run("build", environment=environment(python))
    return ROOT / ".aws-sam" / "build" / "template.yaml"
