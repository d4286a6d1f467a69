"""The playing provider: speaks the house contract from the other side, and misbehaves when told to.

POST   /sms /email   what the product sends: kept, answered with an id, reported on a moment later
GET    /requests     what it received, the newest last
DELETE /requests     forgets them
PUT    /behaviour    how it is from now on: the fields of Behaviour; {} is well-behaved again
"""

import json
import queue
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request as Post

from pydantic import TypeAdapter, ValidationError
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from local.client import opener
from local.server import Request, Response, Server, json_response

ID_FIELDS = {"sms": "messaging_provider_id", "email": "xillio_id"}
FAILURE = {"code": "30003", "reason": "Unreachable"}
REPORTERS = 4
REPORT_TRIES = 6


@dataclass(frozen=True)
class Behaviour:
    """`times` is for how many requests it holds; after them, and by default, it is well-behaved."""

    status: int = 200
    retry_after: int | None = None
    delay: float = 0
    body: str | dict[str, Any] | None = None
    """In place of the answer's own."""
    close: str | None = None
    """`before` hangs up without having taken the message, `after` takes it and hangs up without an answer."""
    times: int | None = None
    reports: Sequence[str] = ("sent", "delivered")
    report_delay: float = 0.2


@dataclass(frozen=True)
class Received:
    """`status` is what it was answered, or None; `id` the provider's, where the message was taken."""

    path: str
    headers: Mapping[str, str]
    body: Any
    status: int | None
    id: str | None
    time: str = field(default_factory=lambda: datetime.now(UTC).isoformat())


class Provider:
    def __init__(self, port: int, gateway: str, secret: str, host: str = "127.0.0.1") -> None:
        """`gateway` is where the reports go; `secret` signs and verifies, both ways."""
        self._gateway = gateway
        self._signer = Webhook(secret)
        self._lock = threading.Lock()
        self._received: list[Received] = []
        self._behaviour = Behaviour()
        self._reports: queue.SimpleQueue[tuple[float, str, list[dict[str, Any]]] | None] = queue.SimpleQueue()
        self._server = Server(host, port, self._answer)
        self._stopped = threading.Event()
        self._reporters = [threading.Thread(target=self._report, daemon=True) for _ in range(REPORTERS)]
        self.url = self._server.url

    def start(self) -> None:
        self._server.start()
        for reporter in self._reporters:
            reporter.start()

    def stop(self) -> None:
        self._stopped.set()
        self._server.stop()
        for _ in self._reporters:
            self._reports.put(None)

    @property
    def requests(self) -> list[Received]:
        with self._lock:
            return list(self._received)

    def forget(self) -> None:
        with self._lock:
            self._received.clear()

    def behave(self, behaviour: Behaviour | None = None) -> None:
        with self._lock:
            self._behaviour = behaviour or Behaviour()

    def _answer(self, request: Request) -> Response | None:
        match request.method, request.path.strip("/"):
            case "POST", ("sms" | "email") as channel:
                return self._message(channel, request)
            case "GET", "requests":
                return json_response(200, [asdict(received) for received in self.requests])
            case "DELETE", "requests":
                self.forget()
                return Response(204)
            case "PUT", "behaviour":
                return self._told(request)
        return json_response(404, {"message": "Not Found"})

    def _told(self, request: Request) -> Response:
        names = {known.name for known in fields(Behaviour)}
        try:
            asked = json.loads(request.body or b"{}")
            unknown = sorted(set(asked) - names)
            if unknown:
                return json_response(
                    422, {"message": f"unknown: {', '.join(unknown)}; known: {', '.join(sorted(names))}"}
                )
            self.behave(TypeAdapter(Behaviour).validate_python(asked))
        except ValidationError as error:
            return json_response(
                422, {"message": f"{error.errors()[0]['loc'][0]}: {error.errors()[0]['msg']}"}
            )
        except (ValueError, TypeError):
            return json_response(400, {"message": "not a JSON object"})
        return json_response(200, asked)

    def _message(self, channel: str, request: Request) -> Response | None:
        behaviour = self._behave_once()
        headers = {name.lower(): value for name, value in request.headers}
        try:
            message = self._signer.verify(request.body, headers)
        except (WebhookVerificationError, ValueError):
            self._keep(Received(request.path, headers, request.body.decode("utf-8", "replace"), 401, None))
            return json_response(401, {"message": "the signature does not match"})
        self._stopped.wait(behaviour.delay)
        taken = behaviour.status < HTTPStatus.MULTIPLE_CHOICES and behaviour.close != "before"
        name = ID_FIELDS[channel]
        provider_id = f"{channel}-{uuid.uuid4()}" if taken else None
        hangs_up = behaviour.close is not None
        status = None if hangs_up else behaviour.status
        self._keep(Received(request.path, headers, message, status, provider_id))
        if taken:
            identity = {name: provider_id, "reference": message.get("reference")}
            reports = [_report(identity, status) for status in behaviour.reports]
            self._reports.put((time.monotonic() + behaviour.report_delay, channel, reports))
        if hangs_up:
            return None
        extra = [("retry-after", str(behaviour.retry_after))] if behaviour.retry_after is not None else []
        if isinstance(behaviour.body, str):
            return Response(behaviour.status, behaviour.body.encode(), extra)
        answer = {name: provider_id} if taken else {"message": "told to fail"}
        return json_response(behaviour.status, behaviour.body or answer, extra)

    def _behave_once(self) -> Behaviour:
        with self._lock:
            behaviour = self._behaviour
            if behaviour.times is not None:
                left = behaviour.times - 1
                self._behaviour = (
                    Behaviour(**{**asdict(behaviour), "times": left}) if left > 0 else Behaviour()
                )
            return behaviour

    def _keep(self, received: Received) -> None:
        with self._lock:
            self._received.append(received)

    def _report(self) -> None:
        while (job := self._reports.get()) is not None:
            due, channel, reports = job
            self._stopped.wait(due - time.monotonic())
            for report in reports:
                self._post(f"{self._gateway}/api/webhooks/{channel}", report)

    def _post(self, url: str, report: Mapping[str, Any]) -> None:
        """Until it is taken: a server that is away or in trouble is asked again a few times, ever later."""
        body = json.dumps(report)
        for attempt in range(REPORT_TRIES):
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
                with opener.open(Post(url, body.encode(), headers, method="POST"), timeout=35):
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
