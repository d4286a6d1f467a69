"""TCP ports: which are free, and a clear word about one that is not."""

import socket
import sys

from local.errors import CannotStart


def choose(host: str, port: int, option: str) -> int:
    """The port itself where it is free, or any free one where it is 0."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        if sys.platform != "win32":  # as servers do: one whose last connections are closing down is free
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            why = error.strerror if isinstance(error, OSError) else "a port is at most 65535"
            raise CannotStart(f"{host}:{port} cannot be used ({why}); choose another with {option}") from None
        chosen: int = probe.getsockname()[1]
        return chosen
