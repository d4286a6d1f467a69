"""A server that stores the webhooks of a simulated vendor unchanged."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from local import Behaviour
from local.http.server import Request, Response, Server
from local.simulators.provider import ProviderSimulator
from tests.support.local.simulator_client import SECRET


class Listener:
    """Stores webhooks, after it has answered 503 for the next `failures` ones."""

    def __init__(self, instance: str, vendor_type: str) -> None:
        self.failures = 0
        self.webhooks: list[Request] = []
        self._lock = threading.Lock()
        self._server = Server("127.0.0.1", 0, self._respond)
        self.url = self._server.url
        self.provider = ProviderSimulator(0, self.url, SECRET, instances={instance: vendor_type})
        self.api_url = f"{self.provider.url}/{instance}"
        self.credentials = self.provider.vendors[instance].credentials(self.api_url)

    def _respond(self, request: Request) -> Response:
        with self._lock:
            if self.failures:
                self.failures -= 1
                return Response(503)
            self.webhooks.append(request)
            return Response(200, b"<Response/>")

    def called_url(self, webhook: Request) -> str:
        """Return the URL that was called. The signature covers it."""
        query = f"?{webhook.query}" if webhook.query else ""
        return f"{self.url}{webhook.path}{query}"

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
