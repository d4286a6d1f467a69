"""Finds processes of a stack by their connections, and suspends or kills them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import psutil


def connected_to(port: int) -> list[int]:
    """Return the ids of our child processes that have a connection to a port of this machine."""
    return [
        pid
        for pid, connection in _connections()
        if connection.status == psutil.CONN_ESTABLISHED and connection.raddr.port == port
    ]


def listening_on(port: int) -> list[int]:
    """Return the ids of our child processes that listen on a port of this machine."""
    return [
        pid
        for pid, connection in _connections()
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
    ]


@contextmanager
def suspended(pids: Sequence[int]) -> Iterator[None]:
    """Suspend processes: they stay connected, and do not answer."""
    assert pids
    for pid in pids:
        psutil.Process(pid).suspend()
    try:
        yield
    finally:
        for pid in pids:
            psutil.Process(pid).resume()


def kill(pid: int) -> None:
    psutil.Process(pid).kill()


def _connections() -> Iterator[tuple[int, "psutil._common.pconn"]]:
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            for connection in child.net_connections("tcp"):
                yield child.pid, connection
