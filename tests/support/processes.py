"""Processes of a stack, found by what they are connected to: to be held still, or killed."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import psutil


def connected_to(port: int) -> list[int]:
    """Numbers of the children of ours that have a connection to a port of this machine."""
    return [
        pid for pid, one in _connections() if one.status == psutil.CONN_ESTABLISHED and one.raddr.port == port
    ]


def listening_on(port: int) -> list[int]:
    return [pid for pid, one in _connections() if one.status == psutil.CONN_LISTEN and one.laddr.port == port]


@contextmanager
def held(pids: Sequence[int]) -> Iterator[None]:
    """They stand still meanwhile: connected, and silent."""
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
            yield from ((child.pid, one) for one in child.net_connections("tcp"))
