"""Posts the simulators' webhooks: signed, and repeated until the product accepts them."""

import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from urllib.error import HTTPError
from urllib.request import Request

from local.http.client import opener

THREADS = 4
TRIES = 6
FIRST_BACKOFF_SECONDS = 0.5
"""Doubles with every further try."""
TIMEOUT_SECONDS = 35


@dataclass(frozen=True)
class SignedWebhook:
    url: str
    body: bytes
    content_type: str
    sign: Callable[[str, bytes], Mapping[str, str]]
    """Returns the signature headers for a URL and a body. Each try has its own, which hold the time."""

    def post(self) -> tuple[int, str]:
        """Return the status and the body of the response. Raises OSError if there is none."""
        headers = {"content-type": self.content_type, **self.sign(self.url, self.body)}
        request = Request(self.url, self.body, headers, method="POST")
        try:
            with _open(request) as response:
                return response.status or 0, response.read().decode("utf-8", "replace")
        except HTTPException as error:
            raise ConnectionError from error


def _open(request: Request) -> HTTPResponse | HTTPError:
    try:
        response: HTTPResponse = opener.open(request, timeout=TIMEOUT_SECONDS)
    except HTTPError as error:
        return error  # it is a response, too
    return response


class WebhookSender:
    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[tuple[float, Sequence[SignedWebhook]] | None] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(THREADS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopped.set()
        for _ in self._threads:
            self._jobs.put(None)

    def send_later(self, webhooks: Sequence[SignedWebhook], delay: float) -> None:
        """Post webhooks one after the other, beginning in `delay` seconds."""
        self._jobs.put((time.monotonic() + delay, webhooks))

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            due, webhooks = job
            self._stopped.wait(due - time.monotonic())
            for webhook in webhooks:
                self._post_until_accepted(webhook)

    def _post_until_accepted(self, webhook: SignedWebhook) -> None:
        """Post again, with backoff, if the product is unavailable or answers 5xx."""
        backoff = 0.0
        for _ in range(TRIES):
            if self._stopped.wait(backoff):
                return
            backoff = max(FIRST_BACKOFF_SECONDS, backoff * 2)
            try:
                status, _ = webhook.post()
            except OSError:
                continue
            if status < HTTPStatus.INTERNAL_SERVER_ERROR:
                return
