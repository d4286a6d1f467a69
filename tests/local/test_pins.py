"""The pins fit the requirements, and the check names a file that does not fit."""

import re
import shutil
from pathlib import Path

import pytest

from local.commands import pins


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in pins.FOLDERS:
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        for name in ("requirements.in", "requirements.txt"):
            shutil.copy(pins.ROOT / folder / name, tmp_path / folder / name)
    return tmp_path


def change(file: Path, pattern: str, replacement: str) -> None:
    text = file.read_text()
    changed = re.sub(pattern, replacement, text, count=1)
    assert changed != text
    file.write_text(changed)


def test_the_pins_of_this_repository_fit() -> None:
    assert pins.main() == 0


def test_a_package_that_is_pinned_with_an_extra_is_also_pinned_without() -> None:
    """In hash mode, pip accepts the pin of boto3[crt] only for packages that need that extra."""
    pinned: dict[str, set[bool]] = {}
    for file in ("requirements.txt", "local/requirements.txt"):
        for pin in pins.read_pins((pins.ROOT / file).read_text(encoding="utf-8")):
            pinned.setdefault(pin.name, set()).add(bool(pin.requirement.extras))
    assert pins.ROOT.joinpath("requirements.txt").read_text(encoding="utf-8").startswith("-r local/")
    assert {"boto3", "botocore"} <= {name for name, extras in pinned.items() if extras == {True, False}}


@pytest.mark.parametrize(
    ("file", "pattern", "replacement", "complaint"),
    [
        (
            "requirements.in",
            "ruff==.*",
            "ruff==0.0.1",
            r"requirements.txt: ruff==\S+ is not ruff==0.0.1 of requi",
        ),
        (
            "requirements.in",
            "ruff==.*",
            "ruff==0.0.1\nnew==1",
            "requirements.txt: new==1 of requirements.in is not",
        ),
        ("local/requirements.in", "boto3.*\n", "", "local/requirements.txt: nothing needs boto3"),
        ("local/requirements.txt", "six==[^ ]+", "six==0.1", "local/requirements.txt: six is 0.1, and 1"),
        ("local/requirements.txt", r"six==(\S+) \\\n( *--hash.*\n)+", r"six==\1\n", "six has no hash"),
        (
            "layers/messaging/requirements.txt",
            "^",
            "--index-url https://example.com/\n",
            "must not name a package index",
        ),
    ],
)
def test_a_file_that_does_not_fit_is_named(
    root: Path,
    capsys: pytest.CaptureFixture[str],
    file: str,
    pattern: str,
    replacement: str,
    complaint: str,
) -> None:
    change(root / file, pattern, replacement)
    assert pins.main(root) == 1
    printed = capsys.readouterr().out
    assert re.search(complaint, printed), printed
    assert printed.endswith("Run: make pins\n")
