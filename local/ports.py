"""TCP ports: which are free, and a clear word about one that is not."""

import socket

from local.errors import CannotStart


def choose(host: str, port: int, option: str) -> int:
    """The port itself where it is free, or any free one where it is 0."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        if socket.has_ipv6 and hasattr(socket, "SO_REUSEPORT"):
            # As the servers do: a port whose last connections are still closing down counts as free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CannotStart(
                f"{host}:{port} cannot be used ({error.strerror}); choose another with {option}"
            ) from None
        chosen: int = probe.getsockname()[1]
        return chosen
