import json
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request as Call

import pytest
from standardwebhooks import Webhook

from local import Behaviour
from local.client import opener
from local.provider import Provider
from local.server import Request, Response, Server, json_response
from tests.local.waiting import eventually

SECRET = "whsec_c2VjcmV0LW9mLXRoZS10ZXN0cw=="
MESSAGE = {"from": "+12016661234", "to": "+18045551234", "type": "sms", "body": "Hello", "reference": "7"}


class Product:
    """Takes reports, and is in trouble for the first few when told so."""

    def __init__(self) -> None:
        self.troubles = 0
        self.reports: list[tuple[str, Any]] = []
        self._lock = threading.Lock()

    def answer(self, request: Request) -> Response:
        with self._lock:
            if self.troubles:
                self.troubles -= 1
                return Response(503)
            report = Webhook(SECRET).verify(request.body, dict(request.headers))
            self.reports.append((request.path, report))
            return json_response(200, {})


@pytest.fixture
def product() -> Product:
    return Product()


@pytest.fixture
def provider(product: Product) -> Iterator[Provider]:
    gateway = Server("127.0.0.1", 0, product.answer)
    gateway.start()
    provider = Provider(0, gateway.url, SECRET)
    provider.start()
    provider.behave(Behaviour(report_delay=0))
    yield provider
    provider.stop()
    gateway.stop()


def call(method: str, url: str, body: bytes = b"", headers: dict[str, str] | None = None) -> tuple[int, Any]:
    try:
        with opener.open(Call(url, body, headers or {}, method=method), timeout=10) as answer:
            text = answer.read()
            return answer.status, json.loads(text) if text else None
    except HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def send(provider: Provider, channel: str = "sms", secret: str = SECRET) -> tuple[int, Any]:
    body, now, message_id = json.dumps(MESSAGE), datetime.now(UTC), f"msg_{uuid.uuid4().hex}"
    headers = {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, now, body),
    }
    return call("POST", f"{provider.url}/{channel}", body.encode(), headers)


@pytest.mark.parametrize(("channel", "name"), [("sms", "messaging_provider_id"), ("email", "xillio_id")])
def test_a_message_is_taken_and_reported_on(
    provider: Provider, product: Product, channel: str, name: str
) -> None:
    status, answer = send(provider, channel)
    assert status == 200
    (path, first), (_, second) = eventually(lambda: product.reports[1:] and product.reports)
    assert path == f"/api/webhooks/{channel}"
    assert first == {name: answer[name], "reference": "7", "status": "sent", "timestamp": first["timestamp"]}
    assert second["status"] == "delivered"
    [received] = provider.requests
    assert (received.path, received.body, received.status) == (f"/{channel}", MESSAGE, 200)


def test_a_message_with_a_foreign_signature_is_refused(provider: Provider, product: Product) -> None:
    status, _ = send(provider, secret="whsec_YW5vdGhlcg==")
    assert status == 401
    assert [received.status for received in provider.requests] == [401]


def test_a_report_is_repeated_until_it_is_taken(provider: Provider, product: Product) -> None:
    product.troubles = 2
    provider.behave(Behaviour(reports=["failed"], report_delay=0))
    send(provider)
    [(_, report)] = eventually(lambda: product.reports)
    assert report["status"] == "failed"
    assert report["error"] == {"code": "30003", "reason": "Unreachable"}


def test_it_fails_as_often_as_it_was_told(provider: Provider) -> None:
    provider.behave(Behaviour(status=503, retry_after=9, times=2))
    assert [send(provider)[0] for _ in range(3)] == [503, 503, 200]
    assert [received.id is None for received in provider.requests] == [True, True, False]


@pytest.mark.parametrize(("when", "taken"), [("before", False), ("after", True)])
def test_it_hangs_up_with_the_message_taken_or_not(provider: Provider, when: str, taken: bool) -> None:
    provider.behave(Behaviour(close=when, times=1))
    with pytest.raises(ConnectionError):
        send(provider)
    [received] = provider.requests
    assert (received.status, received.id is not None) == (None, taken)


def test_it_takes_its_time_and_answers_garbage(provider: Provider) -> None:
    provider.behave(Behaviour(delay=0.2, body="<garbage>"))
    started = time.monotonic()
    with pytest.raises(json.JSONDecodeError):
        send(provider)
    assert time.monotonic() - started >= 0.2


def test_it_fails_with_the_words_that_it_was_given(provider: Provider) -> None:
    words = {"error": {"code": "30007", "reason": "Filtered"}}
    told = {"status": 400, "body": words}
    assert call("PUT", f"{provider.url}/behaviour", json.dumps(told).encode()) == (200, told)
    assert send(provider) == (400, words)


def test_it_is_told_over_http_as_well(provider: Provider) -> None:
    told = {"status": 429, "retry_after": 3, "times": 1}
    assert call("PUT", f"{provider.url}/behaviour", json.dumps(told).encode()) == (200, told)
    assert send(provider)[0] == 429
    assert [received["status"] for received in call("GET", f"{provider.url}/requests")[1]] == [429]
    assert call("DELETE", f"{provider.url}/requests") == (204, None)
    assert call("GET", f"{provider.url}/requests") == (200, [])


@pytest.mark.parametrize(
    ("told", "status"), [(b"[", 400), (b"7", 400), (b'{"mood": "bad"}', 422), (b'{"times": "x"}', 422)]
)
def test_it_does_not_guess_what_it_was_told(provider: Provider, told: bytes, status: int) -> None:
    assert call("PUT", f"{provider.url}/behaviour", told)[0] == status
