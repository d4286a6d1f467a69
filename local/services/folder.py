"""The folder that keeps what survives a restart: one run at a time, nobody else's business."""

import base64
import os
import secrets
import shutil
import sys
from pathlib import Path
from typing import IO

from local.errors import CannotStart


class Folder:
    def __init__(self, path: Path) -> None:
        """Raises CannotStart while another process has the folder, and where it was not made here, for all
        that is in it may be forgotten. The lock dies with its holder."""
        self.path = path.resolve()
        self.path.mkdir(parents=True, exist_ok=True)
        if any(self.path.iterdir()) and not (self.path / "lock").exists():
            raise CannotStart(
                f"{self.path} holds other files; --data wants a folder that is empty or its own"
            )
        (self.path / ".gitignore").write_text("*\n")
        self._lock: IO[str] = (self.path / "lock").open("a+")
        try:
            _lock(self._lock)
        except OSError:
            self._lock.close()
            raise CannotStart(f"{self.path} is in use by another run; end that one, or give --data") from None

    def close(self) -> None:
        self._lock.close()

    def clear(self) -> None:
        """Everything but the lock."""
        for entry in self.path.iterdir():
            if entry.is_dir():
                shutil.rmtree(entry)
            elif entry.name not in ("lock", ".gitignore"):
                entry.unlink()

    def signing_secret(self) -> str:
        """The same at every start, readable by its owner alone."""
        kept = self.path / "signing-secret"
        if not kept.exists():
            descriptor = os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write("whsec_" + base64.b64encode(secrets.token_bytes(24)).decode())
        return kept.read_text()


def _lock(file: IO[str]) -> None:
    if sys.platform == "win32":
        import msvcrt  # only Windows has it

        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl  # Windows has none

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
