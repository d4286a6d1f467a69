"""The functions' runtime: CPython and the built layer as in a deployment, or this interpreter instead."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from local.commands.openapi import ROOT
from local.functions import runtime

LAYER = ROOT / "layers" / "messaging"
FUNCTIONS = ROOT / "functions"
OTHERS = Path(__file__).with_name("requirements.txt")
"""Packages of Lambda's own runtime, and of the naive stack."""
DOS_EPOCH = 315_532_800
"""1980, the date of undated files in a zip. Bytecode that Python checks against its source fails with it."""


class Runtime(NamedTuple):
    python: Path
    path: tuple[Path, ...]
    """The folders after the function's own folder."""
    built: bool
    """Whether it is as in a deployment. If not, it is this interpreter, and cold starts are not measured."""

    def folder(self, function: str) -> Path:
        """Return a function's folder. A built one has no bytecode, as SAM leaves it."""
        return self.path[0].parents[1] / function if self.built else FUNCTIONS / function


def prepare(folder: Path, say: Callable[[str], None]) -> Runtime:
    """Build the layer if it has changed, which takes a minute."""
    python = runtime.interpreter()
    if python is None:
        say(f"There is no CPython {runtime.VERSION}: using this interpreter, without cold starts")
        return Runtime(Path(sys.executable), (LAYER,), built=False)
    built = folder / f"built-{_fingerprint()}"
    if not built.exists():
        say("Building the layer, which takes a minute")
        for old in folder.glob("built-*"):
            shutil.rmtree(old)
        partial = folder / "building"
        shutil.rmtree(partial, ignore_errors=True)
        _build(python, partial)
        partial.rename(built)
    return Runtime(python, (built / "layer" / "python", built / "others"), built=True)


def _fingerprint() -> str:
    """Return a hash of everything that the build depends on."""
    digest = hashlib.sha256(OTHERS.read_bytes())
    for root in (LAYER, FUNCTIONS):
        for file in sorted(root.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(file.relative_to(ROOT).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def _build(python: Path, folder: Path) -> None:
    layer, others = folder / "layer", folder / "others"
    layer.mkdir(parents=True)
    variables = {**os.environ, "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"}
    target = ["build-MessagingLayer", f"ARTIFACTS_DIR={layer}"]
    _run(["make", "--silent", "-C", LAYER, *target], variables)
    install: list[str | Path] = [
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-compile",
        "--disable-pip-version-check",
    ]
    _run([*install, "--requirement", OTHERS, "--target", others], variables)
    unchecked: list[str | Path] = ["-q", "-j", "0", "--invalidation-mode", "unchecked-hash", others]
    _run([python, "-m", "compileall", *unchecked], variables)
    for function in FUNCTIONS.iterdir():
        if function.is_dir():
            shutil.copytree(function, folder / function.name, ignore=shutil.ignore_patterns("__pycache__"))
    for file in folder.rglob("*"):
        os.utime(file, (DOS_EPOCH, DOS_EPOCH))


def _run(command: Sequence[str | Path], variables: dict[str, str]) -> None:
    completed = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    if completed.returncode:
        raise RuntimeError(f"{command[0]} failed: {completed.stdout}{completed.stderr}")
