"""Postgres refuses to run as root: where we are root (a container, CI), it runs as another user."""

import hashlib
import os
import shutil
import stat
import sys
from importlib.metadata import version
from pathlib import Path

from local.errors import CannotStart

STATE = Path("/var/lib/messaging-local")
"""Where things are put for that user when the path to the project is closed to it. All of it is root's."""


def user() -> str:
    """The user to run as, or '' where we are not root."""
    if sys.platform == "win32" or os.geteuid() != 0:
        return ""
    import pwd  # Windows has none

    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    raise CannotStart("Postgres does not run as root, and there is no user postgres or nobody to run it as")


def reachable(folder: Path) -> Path:
    """A folder that another user can get to: this one, or one in its place, named after its path."""
    parent = folder.resolve().parent
    parent.chmod(parent.stat().st_mode | stat.S_IXOTH)  # the data folder: what is secret in it is 0600
    if _open_to_all(parent):
        return folder
    _forget_places_of_the_gone()
    place = STATE / hashlib.sha256(str(parent).encode()).hexdigest()[:16]
    place.mkdir(parents=True, exist_ok=True)
    (place / "stands-for").write_text(str(parent))
    return place / folder.name


def _forget_places_of_the_gone() -> None:
    """Temporary folders, of tests for one, do not say when they go."""
    for note in STATE.glob("*/stands-for"):
        if not Path(note.read_text()).exists():
            shutil.rmtree(note.parent, ignore_errors=True)


def readable(package: Path) -> Path:
    """An installed package's folder that another user can read: its own, or a copy."""
    if _open_to_all(package):
        return package
    copy = STATE / f"{package.name}-{version(package.name)}" / package.name
    if not copy.exists():
        partial = copy.parent.with_name(f"{copy.parent.name}-{os.getpid()}")
        for part in (package, package.with_name(f"{package.name}.libs")):
            if part.exists():
                shutil.copytree(part, partial / part.name)
        try:
            partial.rename(copy.parent)
        except OSError:  # another run was faster
            shutil.rmtree(partial)
    return copy


def _open_to_all(folder: Path) -> bool:
    return all(part.stat().st_mode & stat.S_IXOTH for part in (folder, *folder.resolve().parents))
