"""What the playing provider tells of the messages that it took: signed, and posted until it is heard."""

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

REPORTERS = 4
TRIES = 6


@dataclass(frozen=True)
class Post:
    """A webhook. `sign` gives the headers that vouch for a body at a URL: of each try its own, for they may
    hold the time."""

    url: str
    body: bytes
    content_type: str
    sign: Callable[[str, bytes], Mapping[str, str]]

    def send(self) -> tuple[int, str]:
        """The answer's status and body. Raises OSError where there is none."""
        headers = {"content-type": self.content_type, **self.sign(self.url, self.body)}
        request = Request(self.url, self.body, headers, method="POST")
        try:
            with _opened(request) as answer:
                return answer.status or 0, answer.read().decode("utf-8", "replace")
        except HTTPException as error:
            raise ConnectionError from error


def _opened(request: Request) -> HTTPResponse | HTTPError:
    try:
        opened: HTTPResponse = opener.open(request, timeout=35)
    except HTTPError as error:
        return error  # an answer like any other
    return opened


class Reporter:
    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[tuple[float, Sequence[Post]] | None] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(REPORTERS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopped.set()
        for _ in self._threads:
            self._jobs.put(None)

    def report(self, posts: Sequence[Post], delay: float) -> None:
        """In `delay` seconds, one after the other."""
        self._jobs.put((time.monotonic() + delay, posts))

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            due, posts = job
            self._stopped.wait(due - time.monotonic())
            for post in posts:
                self._post(post)

    def _post(self, post: Post) -> None:
        """Until it is taken: a server that is away or in trouble is asked again a few times, ever later."""
        for attempt in range(TRIES):
            if self._stopped.wait(0.25 * 2**attempt if attempt else 0):
                return
            try:
                status, _ = post.send()
            except OSError:
                continue
            if status < HTTPStatus.INTERNAL_SERVER_ERROR:
                return
