"""What the functions run on: CPython and the layer as they are deployed, or what there is instead."""

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
"""What Lambda's own runtime brings, and what the naive stack wants beside the layer."""
DOS_EPOCH = 315_532_800
"""1980, which a zip gives to all that has no date: what bytecode that is checked would stumble over."""


class Runtime(NamedTuple):
    python: Path
    path: tuple[Path, ...]
    """What comes behind the function's own folder."""
    built: bool
    """As it is deployed. Else it is this interpreter with the source, and no cold start is measured."""

    def folder(self, function: str) -> Path:
        """Of a function: its source alone where it was built, without bytecode, as SAM leaves it."""
        return self.path[0].parents[1] / function if self.built else FUNCTIONS / function


def prepare(folder: Path, say: Callable[[str], None]) -> Runtime:
    """Builds the layer where it has changed since; that takes a minute."""
    python = runtime.interpreter()
    if python is None:
        say(f"There is no CPython {runtime.VERSION}: cold starts are not measured, the rest with this one")
        return Runtime(Path(sys.executable), (LAYER,), built=False)
    built = folder / f"built-{_print()}"
    if not built.exists():
        say("Building the layer as it is deployed: a minute")
        for old in folder.glob("built-*"):
            shutil.rmtree(old)
        partial = folder / "building"
        shutil.rmtree(partial, ignore_errors=True)
        _build(python, partial)
        partial.rename(built)
    return Runtime(python, (built / "layer" / "python", built / "others"), built=True)


def _print() -> str:
    """Of all that the layer is made from."""
    print = hashlib.sha256(OTHERS.read_bytes())
    for root in (LAYER, FUNCTIONS):
        for file in sorted(root.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                print.update(file.relative_to(ROOT).as_posix().encode() + file.read_bytes())
    return print.hexdigest()[:16]


def _build(python: Path, folder: Path) -> None:
    layer, others = folder / "layer", folder / "others"
    layer.mkdir(parents=True)
    variables = {**os.environ, "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"}
    target = ["build-MessagingLayer", f"ARTIFACTS_DIR={layer}"]
    _do(["make", "--silent", "-C", LAYER, *target], variables)
    install: list[str | Path] = [
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-compile",
        "--disable-pip-version-check",
    ]
    _do([*install, "--requirement", OTHERS, "--target", others], variables)
    unchecked: list[str | Path] = ["-q", "-j", "0", "--invalidation-mode", "unchecked-hash", others]
    _do([python, "-m", "compileall", *unchecked], variables)
    for function in FUNCTIONS.iterdir():
        if function.is_dir():
            shutil.copytree(function, folder / function.name, ignore=shutil.ignore_patterns("__pycache__"))
    for file in folder.rglob("*"):
        os.utime(file, (DOS_EPOCH, DOS_EPOCH))


def _do(command: Sequence[str | Path], variables: dict[str, str]) -> None:
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stdout}{done.stderr}")
