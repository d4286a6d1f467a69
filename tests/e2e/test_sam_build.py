"""The built layer has bytecode, without which it is slow, and native modules for both architectures."""

from pathlib import Path

import pytest

from local.functions import runtime
from tests.support import sam

UNCHECKED_HASH = (1).to_bytes(4, "little")  # https://peps.python.org/pep-0552/
LIMIT = 100 * 1024 * 1024  # bytes; Lambda's own limit is 250 MiB


@pytest.fixture(scope="module")
def layer() -> Path:
    return sam.build(sam.interpreter()).parent / "MessagingLayer" / "python"


def test_every_module_has_bytecode_that_is_not_checked_against_its_source(layer: Path) -> None:
    tag = f"cpython-{runtime.VERSION.replace('.', '')}"
    sources = list(layer.rglob("*.py"))
    assert layer / "messaging" / "outbound" / "store.py" in sources
    for source in sources:
        compiled = source.parent / "__pycache__" / f"{source.stem}.{tag}.pyc"
        assert compiled.read_bytes()[4:8] == UNCHECKED_HASH, source


def test_native_modules_are_there_for_both_architectures(layer: Path) -> None:
    modules = {architecture: set[str]() for architecture in ("x86_64", "aarch64")}
    for module in layer.rglob("*.so"):
        name, _, architecture = module.name.removesuffix("-linux-gnu.so").rpartition("-")
        modules[architecture].add(name)
    assert modules["x86_64"] == modules["aarch64"]
    assert any(name.startswith("_pydantic_core.") for name in modules["x86_64"])


def test_the_layer_is_small(layer: Path) -> None:
    assert sum(file.stat().st_size for file in layer.rglob("*") if file.is_file()) < LIMIT
