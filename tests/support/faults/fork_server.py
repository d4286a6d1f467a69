"""A process that has imported a function, and forks a child for each event that can be killed.

Started by path as `python -I fork_server.py <socket> <handler> <folder> ...` with the function's variables.
It has no connection and no thread, so a fork of it equals a new environment after its imports.
Requests come as lines of JSON on the socket, and so do the answers: {"pid"}, {"result"}, {"ended"}.
"""

import importlib
import json
import os
import socket
import sys
import traceback
from collections.abc import Callable
from functools import cache
from typing import Any

import aws_lambda_powertools.utilities.parameters  # noqa: F401  # the product imports it with its first secret
import boto3
from botocore.loaders import JSONFileLoader


class Context:
    """What Lambda passes to a handler besides its event."""

    function_name = "DeliverMessage"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:DeliverMessage"
    aws_request_id = "00000000-0000-4000-8000-000000000000"

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        return int(self._seconds * 1000)


def main(channel: str, handler: str, *folders: str) -> None:
    connection = socket.socket(fileno=int(channel))
    sys.path[:0] = folders
    module, _, name = handler.rpartition(".")
    function = getattr(importlib.import_module(module), name)
    # boto3 reads these files for each session. Reading them once here halves the time of a delivery.
    JSONFileLoader.load_file = staticmethod(cache(JSONFileLoader().load_file))  # type: ignore[method-assign]  # bound once for all
    boto3.client("sqs")
    boto3.client("secretsmanager")
    for line in connection.makefile("rb"):
        request = json.loads(line)
        child = os.fork()
        if not child:
            _run(connection, function, request)
        _answer(connection, pid=child)
        _, status = os.waitpid(child, 0)
        _answer(connection, ended=os.waitstatus_to_exitcode(status))


def _run(connection: socket.socket, function: Callable[[Any, Any], Any], request: dict[str, Any]) -> None:
    """Does not return: like an environment, the process stays alive after the function has returned."""
    try:
        os.environ.update(request["variables"])
        _answer(connection, result=function(request["event"], Context(request["seconds"])))
        connection.recv(1)  # returns when the process that started it ends
    except BaseException:  # noqa: BLE001  # the child must not continue the loop of its parent
        traceback.print_exc()
    finally:
        os._exit(1)


def _answer(connection: socket.socket, **fields: object) -> None:
    connection.sendall(json.dumps(fields).encode() + b"\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
