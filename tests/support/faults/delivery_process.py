"""Deliveries to kill: each is a process of its own, with the variables of the deployment."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from local.functions import environment
from local.services.process import own_process_group
from local.template.template import Function

FORK_SERVER = Path(__file__).with_name("fork_server.py")
TIMEOUT = 30  # seconds


class Victims:
    """One process at a time, forked from one that has imported the function (fork_server.py)."""

    def __init__(self, function: Function, variables: Mapping[str, str], log: Path) -> None:
        own_socket, server_socket = socket.socketpair()
        folders = (function.folder, *function.layers)
        with server_socket, log.open("ab") as output:
            self._fork_server = subprocess.Popen(
                [
                    sys.executable,
                    "-I",
                    FORK_SERVER,
                    str(server_socket.fileno()),
                    function.handler,
                    *map(str, folders),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=function.folder,
                env=environment.variables(function, variables),
                pass_fds=(server_socket.fileno(),),
                **own_process_group(),
            )
        own_socket.settimeout(TIMEOUT)
        self._connection = own_socket
        self._lines = own_socket.makefile("rb")
        self._answers: dict[str, Any] = {}

    def begin(self, event: object, seconds: float, variables: Mapping[str, str]) -> int:
        """Start a process that handles the event with these variables. Returns its pid."""
        self._answers = {}
        request = {"event": event, "seconds": seconds, "variables": dict(variables)}
        self._connection.sendall(json.dumps(request).encode() + b"\n")
        return int(self._wait_for("pid"))

    def result(self) -> Any:
        """Return what the function returned. The process stays alive."""
        return self._wait_for("result")

    def kill(self, pid: int) -> None:
        """Kills the process. Fails if it ended by itself."""
        os.kill(pid, signal.SIGKILL)
        assert self._wait_for("ended") == -signal.SIGKILL

    def close(self) -> None:
        if "pid" in self._answers and "ended" not in self._answers:
            with suppress(ProcessLookupError):
                os.kill(self._answers["pid"], signal.SIGKILL)
        self._connection.shutdown(socket.SHUT_RDWR)
        self._lines.close()
        self._connection.close()
        self._fork_server.wait(TIMEOUT)

    def _wait_for(self, name: str) -> Any:
        """Wait for the answer with this name. Other answers are stored."""
        while name not in self._answers:
            line = self._lines.readline()
            assert line, "the fork server died: see its log"
            self._answers |= json.loads(line)
            assert name == "ended" or "ended" not in self._answers, f"it ended before its {name}: see its log"
        return self._answers[name]
