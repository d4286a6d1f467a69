"""A product that keeps each webhook as it came, and is in trouble for the first few when told so."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from local import Behaviour
from local.http.server import Request, Response, Server
from local.simulators.provider import ProviderSimulator
from tests.support.local.simulator_client import SECRET


class Listener:
    def __init__(self, instance: str, kind: str) -> None:
        self.troubles = 0
        self.webhooks: list[Request] = []
        self._lock = threading.Lock()
        self._server = Server("127.0.0.1", 0, self._answer)
        self.url = self._server.url
        self.provider = ProviderSimulator(0, self.url, SECRET, instances={instance: kind})
        self.api_url = f"{self.provider.url}/{instance}"
        self.credentials = self.provider.vendors[instance].credentials(self.api_url)

    def _answer(self, request: Request) -> Response:
        with self._lock:
            if self.troubles:
                self.troubles -= 1
                return Response(503)
            self.webhooks.append(request)
            return Response(200, b"<Response/>")

    def called(self, webhook: Request) -> str:
        """The URL of it, as whoever checks its signature has to know it."""
        return f"{self.url}{webhook.path}" + (f"?{webhook.query}" if webhook.query else "")

    @contextmanager
    def running(self) -> Iterator["Listener"]:
        self._server.start()
        self.provider.start()
        self.provider.behave(Behaviour(report_delay=0))
        try:
            yield self
        finally:
            self.provider.stop()
            self._server.stop()


def header(webhook: Request, name: str) -> str:
    [value] = [value for key, value in webhook.headers if key.lower() == name]
    return value
