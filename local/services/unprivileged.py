"""Postgres does not run as root. If we are root (in a container or in CI), it runs as another user."""

import hashlib
import os
import shutil
import stat
import sys
from importlib.metadata import version
from pathlib import Path

from local.errors import CannotStart

STATE = Path("/var/lib/messaging-local")
"""Holds what that user needs if it cannot reach the project's folder. Everything in it belongs to root."""


def user() -> str:
    """Return the user to run as, or '' if we are not root. Raises CannotStart if there is no such user."""
    if sys.platform == "win32" or os.geteuid() != 0:
        return ""
    import pwd  # does not exist on Windows

    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    raise CannotStart("Postgres does not run as root, and there is no user postgres or nobody to run it as")


def reachable(folder: Path) -> Path:
    """Return a folder that the other user can reach: this folder, or one in STATE named after its path."""
    parent = folder.resolve().parent
    parent.chmod(parent.stat().st_mode | stat.S_IXOTH)  # secret files in it have mode 0600
    if _open_to_all(parent):
        return folder
    _delete_substitutes_of_deleted_folders()
    substitute = STATE / hashlib.sha256(str(parent).encode()).hexdigest()[:16]
    substitute.mkdir(parents=True, exist_ok=True)
    (substitute / "stands-for").write_text(str(parent))
    return substitute / folder.name


def _delete_substitutes_of_deleted_folders() -> None:
    """Nothing else notices when a temporary folder, such as a test's, is deleted."""
    for note in STATE.glob("*/stands-for"):
        if not Path(note.read_text()).exists():
            shutil.rmtree(note.parent, ignore_errors=True)


def readable(package: Path) -> Path:
    """Return a folder of an installed package that the other user can read: the package's own, or a copy."""
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
        except OSError:  # another run made the copy at the same time
            shutil.rmtree(partial)
    return copy


def _open_to_all(folder: Path) -> bool:
    return all(part.stat().st_mode & stat.S_IXOTH for part in (folder, *folder.resolve().parents))
