"""Deliveries to be killed: each a process of its own, with the variables that the deployment gives it."""

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

FORKER = Path(__file__).with_name("fork_server.py")
PATIENCE = 30  # seconds


class Victims:
    """One at a time; a fork of a process that has imported the function (forker.py)."""

    def __init__(self, function: Function, variables: Mapping[str, str], log: Path) -> None:
        ours, theirs = socket.socketpair()
        folders = (function.folder, *function.layers)
        with theirs, log.open("ab") as output:
            self._forker = subprocess.Popen(
                [sys.executable, "-I", FORKER, str(theirs.fileno()), function.handler, *map(str, folders)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=function.folder,
                env=environment.variables(function, variables),
                pass_fds=(theirs.fileno(),),
                **own_process_group(),
            )
        ours.settimeout(PATIENCE)
        self._connection = ours
        self._lines = ours.makefile("rb")
        self._told: dict[str, Any] = {}

    def begin(self, event: object, seconds: float, variables: Mapping[str, str]) -> int:
        """The number of the process that now handles the event, with `variables` of its own."""
        self._told = {}
        request = {"event": event, "seconds": seconds, "variables": dict(variables)}
        self._connection.sendall(json.dumps(request).encode() + b"\n")
        return int(self._hear("pid"))

    def result(self) -> Any:
        """What its function returns. It lives on."""
        return self._hear("result")

    def kill(self, pid: int) -> None:
        """Returns when it is gone, by this alone."""
        os.kill(pid, signal.SIGKILL)
        assert self._hear("ended") == -signal.SIGKILL

    def close(self) -> None:
        if "pid" in self._told and "ended" not in self._told:
            with suppress(ProcessLookupError):
                os.kill(self._told["pid"], signal.SIGKILL)
        self._connection.shutdown(socket.SHUT_RDWR)
        self._lines.close()
        self._connection.close()
        self._forker.wait(PATIENCE)

    def _hear(self, name: str) -> Any:
        """What is told under this name; what comes before it is kept."""
        while name not in self._told:
            line = self._lines.readline()
            assert line, "the process that forks is gone: see its log"
            self._told |= json.loads(line)
            assert name == "ended" or "ended" not in self._told, f"it ended before its {name}: see its log"
        return self._told[name]
