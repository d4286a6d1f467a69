"""local/requirements.txt holds what a start needs. `make start` installs nothing else."""

import ast
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.utils import canonicalize_name

from local.commands.pins import ROOT, read_pins

WITH_THE_TESTS = {"audit.py", "check.py", "pins.py"}
"""Commands that need the tools of requirements.txt."""


class Imports(ast.NodeVisitor):
    """The packages that a file imports at run time, so not those of `if TYPE_CHECKING`."""

    def __init__(self, file: Path) -> None:
        self.packages: set[str] = set()
        self.visit(ast.parse(file.read_text(encoding="utf-8")))

    def visit_If(self, node: ast.If) -> None:
        if ast.unparse(node.test) != "TYPE_CHECKING":
            self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        self.packages |= {alias.name.partition(".")[0] for alias in node.names}

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self.packages.add((node.module or "").partition(".")[0])


def started_files() -> Iterator[Path]:
    for folder in ("local", "layers", "functions"):
        for file in (ROOT / folder).rglob("*.py"):
            if file.name not in WITH_THE_TESTS:
                yield file


def test_everything_that_a_start_imports_is_in_its_requirements() -> None:
    pinned = {
        pin.name for pin in read_pins((ROOT / "local" / "requirements.txt").read_text(encoding="utf-8"))
    }
    imported = {package for file in started_files() for package in Imports(file).packages}
    own_packages = {file.stem for file in ROOT.glob("functions/*/*.py")} | {"local", "messaging", "tables"}
    distributions = packages_distributions()
    missing = {
        name
        for name in imported - set(sys.stdlib_module_names) - own_packages
        if not pinned & {canonicalize_name(distribution) for distribution in distributions[name]}
    }
    assert missing == set()
