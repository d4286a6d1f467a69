"""What the playing provider tells of the messages that it took: signed, and posted until it is heard."""

import json
import queue
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request

from standardwebhooks.webhooks import Webhook

from local.client import opener

FAILURE = {"code": "30003", "reason": "Unreachable"}
REPORTERS = 4
TRIES = 6


class Reporter:
    def __init__(self, signer: Webhook) -> None:
        self._signer = signer
        self._jobs: queue.SimpleQueue[tuple[float, str, list[dict[str, Any]]] | None] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(REPORTERS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopped.set()
        for _ in self._threads:
            self._jobs.put(None)

    def report(self, url: str, identity: Mapping[str, Any], statuses: Sequence[str], delay: float) -> None:
        """In `delay` seconds, one after the other."""
        reports = [_report(identity, status) for status in statuses]
        self._jobs.put((time.monotonic() + delay, url, reports))

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            due, url, reports = job
            self._stopped.wait(due - time.monotonic())
            for report in reports:
                self._post(url, report)

    def _post(self, url: str, report: Mapping[str, Any]) -> None:
        """Until it is taken: a server that is away or in trouble is asked again a few times, ever later."""
        body = json.dumps(report)
        for attempt in range(TRIES):
            if self._stopped.wait(0.25 * 2**attempt if attempt else 0):
                return
            now = datetime.now(UTC)
            message_id = f"msg_{uuid.uuid4().hex}"
            headers = {
                "content-type": "application/json",
                "webhook-id": message_id,
                "webhook-timestamp": str(int(now.timestamp())),
                "webhook-signature": self._signer.sign(message_id, now, body),
            }
            try:
                with opener.open(Request(url, body.encode(), headers, method="POST"), timeout=35):
                    return
            except HTTPError as error:
                error.close()
                if error.code < HTTPStatus.INTERNAL_SERVER_ERROR:
                    return
            except OSError:
                continue


def _report(identity: Mapping[str, Any], status: str) -> dict[str, Any]:
    report = {**identity, "status": status, "timestamp": datetime.now(UTC).isoformat()}
    return {**report, "error": FAILURE} if status == "failed" else report
