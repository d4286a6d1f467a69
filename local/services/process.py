"""Child processes that never outlive us."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

WATCHER = Path(__file__).with_name("watcher.py")


def own_process_group() -> dict[str, Any]:
    """Arguments of Popen that keep a terminal's Ctrl-C from a child: we end the children, in our order."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


class ChildProcess:
    """A command beside us, ended through its watcher (watcher.py), also when we are killed."""

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
        """`user` is another user to run as, where we are root; `grace` the seconds it has for stopping."""
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
        """The command's exit code, once it has ended by itself."""
        code = self._watcher.wait()
        self.stop()
        return code

    def stop(self) -> None:
        """Returns when the command and its watcher are gone."""
        assert self._watcher.stdin is not None
        self._watcher.stdin.close()
        try:
            self._watcher.wait(self._grace + 5)
        except subprocess.TimeoutExpired:
            self._watcher.kill()
            self._watcher.wait()
