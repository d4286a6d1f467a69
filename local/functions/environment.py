"""An execution environment of a function, seen from outside. worker.py is the process inside."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from local.functions.logs import Logs
from local.functions.worker import LENGTH
from local.services.process import own_process_group
from local.template import template

INIT_SECONDS = 60
"""Lambda allows ten. A machine that starts and compiles all functions at once may need more."""
WORKER = Path(__file__).with_name("worker.py")
ANSWER_LIMIT = 6_291_556
"""The largest response that Lambda accepts from a function, in bytes."""


class FunctionError(Exception):
    """The function raised, exited or timed out. The names are those of Lambda's own response."""

    def __init__(self, error_type: str, message: str, trace: list[str] | None = None) -> None:
        super().__init__(f"{error_type}: {message}")
        self.error_type = error_type
        self.message = message
        self.trace = trace or []


class Environment:
    """A process that handles one invocation at a time: `send` a request, then `receive` the result."""

    def __init__(self, function: template.Function, environment: Mapping[str, str], logs: Logs) -> None:
        """Return when the handler is imported. Raises FunctionError, and leaves no process, if that fails."""
        self._name = function.name
        self._logs = logs
        environment_socket, worker_socket = socket.socketpair()
        with worker_socket:
            folders = [str(folder) for folder in (function.folder, *function.layers)]
            self._process = subprocess.Popen(
                [sys.executable, "-I", str(WORKER), _describe(worker_socket), function.handler, *folders],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=function.folder,
                env=dict(environment),
                pass_fds=() if sys.platform == "win32" else (worker_socket.fileno(),),
                **own_process_group(),
            )
            _pass_on(worker_socket, self._process)
        self._connection = environment_socket
        self._reader = threading.Thread(target=self._copy_output, daemon=True)
        self._reader.start()
        try:
            self.receive(INIT_SECONDS)
        except BaseException:
            self.end()
            raise

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def send(self, request: Mapping[str, Any]) -> None:
        frame = json.dumps(request).encode()
        with suppress(OSError):  # the process died, or was ended, while idle; `receive` raises
            self._connection.settimeout(None)
            self._connection.sendall(LENGTH.pack(len(frame)) + frame)

    def is_ready_within(self, seconds: float) -> bool:
        """Wait until there is a result, or the process is dead."""
        try:
            self._connection.settimeout(max(seconds, 0.001))
            self._connection.recv(1, socket.MSG_PEEK)
        except TimeoutError:
            return False
        except OSError:
            return True
        return True

    def receive(self, seconds: float) -> Any:
        """Return the function's result. Raises FunctionError, and ends a process that sends none in time."""
        if not self.is_ready_within(seconds):
            self.end()
            raise FunctionError("Sandbox.Timedout", "Task timed out")
        try:
            self._connection.settimeout(None)  # fails if another thread has ended this environment
            [length] = LENGTH.unpack(self._read(LENGTH.size))
            response = json.loads(self._read(length))
        except (OSError, EOFError):
            self.end()
            code = self._process.returncode
            raise FunctionError("Runtime.ExitError", f"Runtime exited with exit status {code}") from None
        if length > ANSWER_LIMIT:
            message = f"Response payload size exceeded maximum allowed payload size ({ANSWER_LIMIT} bytes)."
            raise FunctionError("Function.ResponseSizeTooLarge", message)
        if "error" in response:
            error = response["error"]
            raise FunctionError(error["errorType"], error["errorMessage"], error["stackTrace"])
        return response.get("result")

    def end(self) -> None:
        """Kill the process, as Lambda does. Return when it is gone and its last line is in the log."""
        self._process.kill()
        self._process.wait()
        self._reader.join(1)
        self._connection.close()
        if self._process.stdin is not None:
            self._process.stdin.close()

    def _read(self, size: int) -> bytes:
        received = bytearray()
        while len(received) < size:
            part = self._connection.recv(min(size - len(received), 1 << 20))
            if not part:
                raise EOFError
            received += part
        return bytes(received)

    def _copy_output(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._logs.write(self._name, line.decode("utf-8", "backslashreplace").rstrip("\r\n"))


def variables(function: template.Function, platform: Mapping[str, str]) -> dict[str, str]:
    """Return a function's environment: Lambda's variables, the template's, and `platform`."""
    inherited = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR")  # an interpreter does not run without these
    return {
        **{name: os.environ[name] for name in inherited if name in os.environ},
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "LAMBDA_TASK_ROOT": str(function.folder),
        "_HANDLER": function.handler,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": "local",
        **function.variables,
        **platform,
    }


def _describe(worker_socket: socket.socket) -> str:
    """Return the worker's argument from which it makes its socket (worker._connect)."""
    if sys.platform == "win32":
        return str(len(worker_socket.share(os.getpid())))
    return str(worker_socket.fileno())


def _pass_on(worker_socket: socket.socket, process: "subprocess.Popen[bytes]") -> None:
    if sys.platform == "win32":
        assert process.stdin is not None
        process.stdin.write(worker_socket.share(process.pid))
        process.stdin.flush()
