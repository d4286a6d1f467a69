"""Runs the SAM command line, with the CPython that it builds with."""

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
    """Return the interpreter. Skips the test if there is none."""
    python = runtime.interpreter()
    if python is None:
        pytest.skip(f"no CPython {runtime.VERSION} on PATH or from pyenv: the built template was not tested")
    return python


def environment(python: Path, **more: str) -> dict[str, str]:
    """Return our environment with the interpreter first on PATH, and without credentials.

    With credentials, SAM would ask AWS for their owner.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SAM_"))}
    return {
        **inherited,
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
        "SAM_CLI_TELEMETRY": "0",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_DEFAULT_REGION": REGION,
        **more,
    }


def command(*arguments: str) -> list[str]:
    """Return a command with our settings. By itself, SAM looks for them beside the built template."""
    return [sys.executable, "-m", "samcli", *arguments, "--config-file", str(ROOT / "samconfig.toml")]


def run(*arguments: str, environment: Mapping[str, str]) -> str:
    """Return the standard output of `sam`. Pytest shows the rest if the test fails."""
    completed = subprocess.run(
        command(*arguments),
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    sys.stderr.write(completed.stderr)
    assert completed.returncode == 0, (
        f"sam {arguments[0]}: {completed.stderr[-4000:]}{completed.stdout[-4000:]}"
    )
    return completed.stdout


@cache
def build(python: Path) -> Path:
    """Build the template and return its path. SAM builds only what has changed."""
    run("build", environment=environment(python))
    return ROOT / ".aws-sam" / "build" / "template.yaml"
