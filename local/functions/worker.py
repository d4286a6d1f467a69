"""The process that runs one function, one invocation at a time, as an execution environment of Lambda does.

Started by path as `python -I worker.py <socket> <handler> <folder> ...`, with the function's own variables.
The folders go on its path; this package does not. Requests and responses are frames of JSON on the socket,
each after its length in four bytes. Standard input ends when the parent is gone. The function's output is
its log.
"""

import importlib
import json
import os
import socket
import struct
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any, TextIO, cast

LENGTH = struct.Struct(">I")


class Context:
    """The context that Lambda passes to a handler."""

    function_version = "$LATEST"
    identity = None
    client_context = None

    def __init__(self, request_id: str, arn: str, deadline: float) -> None:
        self.aws_request_id = request_id
        self.invoked_function_arn = arn
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self._deadline = deadline

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._deadline - time.time()) * 1000))


def main(channel: str, handler: str, *folders: str) -> None:
    connection = _connect(int(channel))
    threading.Thread(target=_exit_with_the_parent, daemon=True).start()
    for stream in (sys.stdout, sys.stderr):
        cast("TextIO", stream).reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)  # type: ignore[attr-defined]  # it is a TextIOWrapper
    sys.path[:0] = folders
    try:
        module, _, name = handler.rpartition(".")
        function = getattr(importlib.import_module(module), name)
    except BaseException as error:  # noqa: BLE001  # any error is the function's
        _send(connection, _failure(error))
    else:
        _send(connection, b"{}")
        _serve(connection, function)


def _serve(connection: socket.socket, function: Callable[[Any, Context], Any]) -> None:
    frames = connection.makefile("rb")
    while head := frames.read(LENGTH.size):
        request = json.loads(frames.read(*LENGTH.unpack(head)))
        try:
            result = function(request["event"], Context(request["id"], request["arn"], request["deadline"]))
            response = json.dumps({"result": result}, ensure_ascii=False).encode()
        except Exception as error:  # noqa: BLE001  # any error is the function's
            response = _failure(error)
        _send(connection, response)


def _failure(error: BaseException) -> bytes:
    """Print an error as Lambda does, and return the response for it."""
    trace = traceback.format_exception(error)
    details = {"errorType": type(error).__name__, "errorMessage": str(error), "stackTrace": trace}
    print(f"[ERROR] {type(error).__name__}: {error}\n", *trace, sep="  ", file=sys.stderr)
    return json.dumps({"error": details}).encode()


def _send(connection: socket.socket, frame: bytes) -> None:
    connection.sendall(LENGTH.pack(len(frame)) + frame)


def _connect(channel: int) -> socket.socket:
    """Use the inherited socket. On Windows, `channel` is instead the size of its description on stdin."""
    if sys.platform == "win32":
        description = b""
        while len(description) < channel:
            description += os.read(0, channel - len(description))
        return socket.fromshare(description)
    return socket.socket(fileno=channel)


def _exit_with_the_parent() -> None:
    while os.read(0, 1024):
        pass
    os._exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
