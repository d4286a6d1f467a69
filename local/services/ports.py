"""TCP ports: which are free, and an error that lists every port that is not."""

import socket
import sys
from collections.abc import Mapping
from contextlib import ExitStack

from local.errors import CannotStart

SUGGESTED_DISTANCE = 1000
"""A port that is suggested ends in the same digits as the port that was wanted."""


def choose(host: str, port: int, option: str) -> int:
    """Return the port if it is free, or any free port if it is 0. Raises CannotStart."""
    return choose_all(host, {option: port})[option]


def choose_all(host: str, requested: Mapping[str, int]) -> dict[str, int]:
    """Return a free port for each option: the port that is wanted, or any if that is 0.

    Raises CannotStart, which lists every port that cannot be used and suggests others.
    """
    chosen: dict[str, int] = {}
    refused: dict[str, str] = {}
    with ExitStack() as probes:  # they hold their ports until all are chosen, so that no two are the same
        for option, port in requested.items():
            try:
                probe = probes.enter_context(_bound(host, port))
            except OSError as error:
                refused[option] = error.strerror or str(error)
            except OverflowError:
                refused[option] = "a port is at most 65535"
            else:
                chosen[option] = probe.getsockname()[1]
                if port in [chosen[other] for other in chosen if other != option]:
                    refused[option] = "two options name it"
    if refused:
        raise CannotStart(_complaint(host, requested, refused))
    return chosen


def _bound(host: str, port: int) -> socket.socket:
    probe = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if sys.platform != "win32":  # as servers do: a port whose last connections are closing is free
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind((host, port))
    except (OSError, OverflowError):
        probe.close()
        raise
    return probe


def _complaint(host: str, requested: Mapping[str, int], refused: Mapping[str, str]) -> str:
    lines = [f"{host}:{requested[option]} cannot be used ({reason})" for option, reason in refused.items()]
    suggested = " ".join(f"{option} {_another(host, requested[option])}" for option in refused)
    lines.append(f'Choose other ports, for example: {suggested} (make start ARGS="{suggested}")')
    return "\n".join(lines)


def _another(host: str, port: int) -> int:
    """Return a free port some thousands above, or 0, which stands for any."""
    for candidate in range(port + SUGGESTED_DISTANCE, 65536, SUGGESTED_DISTANCE):
        try:
            _bound(host, candidate).close()
        except OSError:
            continue
        return candidate
    return 0
