"""Child processes that never outlive this process."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

WATCHER = Path(__file__).with_name("watcher.py")
WATCHER_SECONDS = 5
"""How long the watcher may take to end, after the command."""


def own_process_group() -> dict[str, Any]:
    """Return arguments of Popen that protect a child from Ctrl-C: we stop children ourselves, in order."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


class ChildProcess:
    """A command below a watcher (watcher.py), which stops the command even if this process is killed."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        folder: Path,
        environment: Mapping[str, str],
        user: str = "",
        grace: float = 10,
    ) -> None:
        """`user` is the user to run as, if we are root. The command has `grace` seconds to stop."""
        self._grace = grace
        with log.open("ab") as output:
            self._watcher = subprocess.Popen(
                [sys.executable, "-I", "-S", str(WATCHER), user, str(grace), *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                cwd=folder,
                env=dict(environment),
                **own_process_group(),
            )

    @property
    def ended(self) -> bool:
        return self._watcher.poll() is not None

    def wait(self) -> int:
        """Wait until the command ends by itself, and return its exit code."""
        code = self._watcher.wait()
        self.stop()
        return code

    def stop(self) -> None:
        """Stop the command, and wait until it and its watcher are gone."""
        assert self._watcher.stdin is not None
        self._watcher.stdin.close()
        try:
            self._watcher.wait(self._grace + WATCHER_SECONDS)
        except subprocess.TimeoutExpired:
            self._watcher.kill()
            self._watcher.wait()
