"""The folder that holds what survives a restart. Only one run at a time can use it."""

import base64
import os
import secrets
import shutil
import sys
from pathlib import Path
from typing import IO

from local.errors import CannotStart


class DataFolder:
    def __init__(self, path: Path) -> None:
        """Lock the folder until this process ends.

        Raises CannotStart if another process uses the folder, or if the folder holds files of something else:
        `clear` deletes everything in it.
        """
        self.path = path.resolve()
        self.path.mkdir(parents=True, exist_ok=True)
        if any(self.path.iterdir()) and not (self.path / "lock").exists():
            raise CannotStart(f"{self.path} holds other files; --data must name an empty or a new folder")
        (self.path / ".gitignore").write_text("*\n")
        self._lock: IO[str] = (self.path / "lock").open("a+")
        try:
            _lock(self._lock)
        except OSError:
            self._lock.close()
            raise CannotStart(f"{self.path} is in use by another run; stop that run, or use --data") from None

    def close(self) -> None:
        self._lock.close()

    def clear(self) -> None:
        """Delete everything except the lock."""
        for entry in self.path.iterdir():
            if entry.is_dir():
                shutil.rmtree(entry)
            elif entry.name not in ("lock", ".gitignore"):
                entry.unlink()

    def signing_secret(self) -> str:
        """Return the secret of the simulators. It stays the same, and only its owner can read its file."""
        file = self.path / "signing-secret"
        if not file.exists():
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as opened:
                opened.write("whsec_" + base64.b64encode(secrets.token_bytes(24)).decode())
        return file.read_text()


def _lock(file: IO[str]) -> None:
    if sys.platform == "win32":
        import msvcrt  # exists on Windows only

        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl  # does not exist on Windows

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
