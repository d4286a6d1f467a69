"""A signed webhook is never lost: neither by a bug in parsing nor while the database is unavailable."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

import pytest

from messaging import providers
from messaging.inbound import receive as inbound_receive
from messaging.inbound import spool
from messaging.inbound.webhook_request import WebhookRequest
from messaging.models import Channel
from messaging.postgres import database as product
from messaging.problems import SignatureRejected, Unavailable
from messaging.providers.provider import Webhook, WebhookResponse
from messaging.telemetry import flush
from tests.support import api
from tests.support.api import INBOUND_SMS
from tests.support.aws import Aws
from tests.support.configuration import Configure
from tests.support.database import Database
from tests.support.log_lines import Printed
from tests.support.providers.example_provider import ExampleProvider

pytestmark = pytest.mark.usefixtures("providers", "database")

UNREACHABLE = "postgresql://nobody:nothing@127.0.0.1:9/nowhere?sslmode=disable"
MESSAGES = "SELECT count(*) FROM messages"
REQUESTS = "SELECT fault FROM webhook_requests ORDER BY id"


def webhook(body: bytes, *, signed: bool = True) -> Webhook:
    return Webhook("https://example.com/", "", api.signed(body) if signed else {}, body)


def receive(fields: Mapping[str, object], *, signed: bool = True) -> WebhookResponse:
    return inbound_receive.receive(Channel.SMS, "sms", webhook(json.dumps(fields).encode(), signed=signed))


@pytest.fixture
def set_database_available(configure: Configure, database: Database) -> Any:
    """Make the database unavailable, or available again."""

    def set_available(available: bool) -> None:
        product.disconnect()
        configure(DATABASE_URL=database.url if available else UNREACHABLE)

    return set_available


# --- Unreadable requests -----------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"{", b"\0", b"[]", b'{"from": 7}', b'{"status": "sent"}'])
def test_a_signed_webhook_that_cannot_be_parsed_is_stored_and_answered_202(
    database: Database, printed: Printed, body: bytes
) -> None:
    answered = inbound_receive.receive(Channel.SMS, "sms", webhook(body))
    assert answered.status == 202
    assert json.loads(answered.body).keys() == {"detail"}
    [[stored_body, fault]] = database.rows("SELECT body, fault FROM webhook_requests")
    assert stored_body == body
    assert str(fault).partition(":")[0] in ("Unreadable", "Invalid")
    flush()
    assert printed.metrics == {"WebhooksUnreadable": [1]}
    [line] = [line for line in printed.logs if line["level"] == "ERROR"]
    assert line["provider"] == "sms"


def test_an_unsigned_webhook_that_cannot_be_parsed_is_a_client_error_and_not_stored(
    database: Database, configure: Configure
) -> None:
    with pytest.raises(SignatureRejected):
        receive({"from": 7}, signed=False)
    configure(ALLOW_UNSIGNED_WEBHOOKS="true")
    for body, status in (({"from": 7}, 422), ([], 400)):
        assert api.call("POST", "/api/webhooks/sms", body).status == status
    assert api.call("POST", "/api/webhooks/sms", INBOUND_SMS).status == 200
    assert database.rows(REQUESTS) == [[None]]


def test_a_part_that_cannot_be_parsed_does_not_lose_the_others(
    database: Database, monkeypatch: pytest.MonkeyPatch, aws: Aws, configure: Configure
) -> None:
    monkeypatch.setitem(providers.REGISTRY, "example", ExampleProvider)
    configure(PROVIDERS="example", PROVIDER_SECRET_ARN=aws.create_secret({"example": {"key": "key"}}))
    got = [{"id": f"in-{n}", "src": api.CONTACT, "dst": api.CUSTOMER, "text": "in"} for n in range(3)]
    body = json.dumps({"received": [got[0], {**got[1], "src": 7}, got[2]]}).encode()
    headers = {"x-example-signature": hmac.new(b"key", body, hashlib.sha256).hexdigest()}
    answered = inbound_receive.receive(Channel.SMS, "example", Webhook("", "", headers, body))
    assert (answered.status, answered.body) == (200, '<thanks for="3"/>')
    assert database.rows("SELECT id_at_provider(m) FROM messages m ORDER BY id") == [["in-0"], ["in-2"]]
    assert database.rows(REQUESTS) == [["Invalid: src"]]


# --- While the database is unavailable ----------------------------------------------------------------------


def test_a_signed_webhook_is_spooled_and_stored_once_when_the_database_is_back(
    database: Database, aws: Aws, set_database_available: Any, printed: Printed
) -> None:
    set_database_available(False)
    first, second = receive(INBOUND_SMS), receive(INBOUND_SMS)
    assert first == second
    assert (first.status, json.loads(first.body).keys()) == (202, {"detail"})
    records = aws.receive_spooled(seconds=60)
    assert len(records) == 2
    set_database_available(True)
    for record in records * 2:
        inbound_receive.store_spooled(spool.parse_record(record["body"]))
    assert database.value(MESSAGES) == 1
    [[received, verified, now]] = database.rows(
        "SELECT received_at, verified_at, created_at FROM webhook_requests"
    )
    assert received < verified < now  # type: ignore[operator]  # they are times
    assert "Marked" not in printed.text


def test_a_spooled_webhook_that_cannot_be_parsed_is_stored(
    database: Database, aws: Aws, set_database_available: Any
) -> None:
    set_database_available(False)
    assert receive({"from": 7}).status == 202
    [record] = aws.receive_spooled()
    set_database_available(True)
    inbound_receive.store_spooled(spool.parse_record(record["body"]))
    assert str(database.value(REQUESTS)).startswith("Invalid: ")


def test_an_unsigned_webhook_is_not_spooled(aws: Aws, set_database_available: Any) -> None:
    set_database_available(False)
    with pytest.raises(SignatureRejected):
        receive(INBOUND_SMS, signed=False)
    assert aws.receive_spooled() == []


def test_a_webhook_that_cannot_be_verified_without_the_secret_is_not_spooled(
    aws: Aws, configure: Configure
) -> None:
    configure(PROVIDER_SECRET_ARN="arn:aws:secretsmanager:us-east-1:000000000000:secret:gone")
    with pytest.raises(Unavailable):
        receive(INBOUND_SMS)
    assert aws.receive_spooled() == []


def test_the_answer_is_503_if_the_queue_is_unavailable_too(
    aws: Aws, set_database_available: Any, database: Database, configure: Configure
) -> None:
    set_database_available(False)
    aws.delete_queues()
    body = json.dumps(INBOUND_SMS).encode()
    answered = api.call("POST", "/api/webhooks/sms", body, api.signed(body))
    assert (answered.status, answered.headers["retry-after"]) == (503, "5")


def test_a_missing_object_is_an_error_only_if_its_request_is_not_stored(
    database: Database, aws: Aws, set_database_available: Any
) -> None:
    set_database_available(False)
    body = {**INBOUND_SMS, "body": "x" * 300_000}
    receive(body)
    [record] = aws.receive_spooled()
    pointer = spool.parse_record(record["body"])
    assert not isinstance(pointer, WebhookRequest)
    set_database_available(True)
    for _ in range(2):  # the second time like a function whose first run died after storing the request
        inbound_receive.store_spooled(pointer)
        assert aws.list_keys() == []
    database.rows("DELETE FROM webhook_requests")
    with pytest.raises(spool.SpoolObjectMissing):
        inbound_receive.store_spooled(pointer)
