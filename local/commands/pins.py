"""Checks whether each requirements.txt fits its requirements.in: `python -m local.commands.pins`.

It does not ask a package index. It compares the names and the reasons that the files state.
"""

import re
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (".", "local", "layers/messaging", "functions/migrate", "bench/harness")
INDEX_ADDRESS = re.compile(r"://|--(extra-)?index-url|--find-links|--trusted-host")


class Pin(NamedTuple):
    requirement: Requirement
    hashes: int
    reasons: tuple[str, ...]
    """What follows `# via`: names of packages, or a file with its option (`-r local/requirements.in`)."""

    @property
    def name(self) -> str:
        return canonicalize_name(self.requirement.name)

    @property
    def version(self) -> str:
        [specifier] = self.requirement.specifier
        return specifier.version


def main(root: Path = ROOT) -> int:
    """Print what is wrong. Returns 1 if anything is, or else 0."""
    complaints: list[str] = []
    for folder in FOLDERS:
        complaints += complaints_of(root, folder)
    if not complaints:
        return 0
    for complaint in complaints:
        print(complaint)
    print("Run: make pins")
    return 1


def complaints_of(root: Path, folder: str) -> Iterator[str]:
    """Return what is wrong with the pins of a folder, one line each."""
    file = root / folder / "requirements.txt"
    shown = file.relative_to(root)
    text = file.read_text(encoding="utf-8")
    if INDEX_ADDRESS.search(text):
        yield f"{shown}: must not name a package index"
    pins = {pin.name: pin for pin in read_pins(text)}
    direct = read_requirements(file.with_suffix(".in"), root)
    for name, (requirement, source) in direct.items():
        if name not in pins:
            yield f"{shown}: {requirement} of {source} is not pinned"
        elif not requirement.specifier.contains(pins[name].version):
            yield f"{shown}: {pins[name].requirement} is not {requirement} of {source}"
    shared = {pin.name: pin for pin in read_pins((root / "requirements.txt").read_text(encoding="utf-8"))}
    for name, pin in pins.items():
        if not pin.hashes:
            yield f"{shown}: {name} has no hash"
        if not any(_still_holds(reason, pin, pins, direct) for reason in pin.reasons):
            yield f"{shown}: nothing needs {name}"
        if name in shared and shared[name].version != pin.version:
            yield f"{shown}: {name} is {pin.version}, and {shared[name].version} in requirements.txt"


def read_requirements(file: Path, root: Path) -> dict[str, tuple[Requirement, str]]:
    """Return the requirements of an .in file and of the files that it includes, each with its file."""
    requirements: dict[str, tuple[Requirement, str]] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        text = line.partition("#")[0].strip()
        if text.startswith("-r "):
            included = (file.parent / text.removeprefix("-r ")).resolve()
            requirements |= read_requirements(included, root)
        elif text:
            requirement = Requirement(text)
            source = file.relative_to(root).as_posix()
            requirements[canonicalize_name(requirement.name)] = requirement, source
    return requirements


def read_pins(text: str) -> Iterator[Pin]:
    """Return the pins of a requirements.txt. Hashes and reasons follow a pin on indented lines."""
    for block in re.split(r"\n(?=\w)", text):
        lines = [line.strip(" \\") for line in block.splitlines()]
        if not lines or not lines[0][:1].isalnum():
            continue
        comments = [line.lstrip("# ").removeprefix("via").strip() for line in lines if line.startswith("#")]
        reasons = tuple(comment for comment in comments if comment)
        hashes = sum(line.startswith("--hash=") for line in lines)
        yield Pin(Requirement(lines[0]), hashes, reasons)


def _still_holds(reason: str, pin: Pin, pins: Collection[str], direct: Collection[str]) -> bool:
    """Whether a requirement or another pin still needs the pin."""
    if reason.startswith("-r "):
        return pin.name in direct
    return canonicalize_name(reason) in pins  # `-c requirements.txt` is not the name of a package


if __name__ == "__main__":
    sys.exit(main())
