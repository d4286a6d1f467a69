"""Logs and metrics: JSON lines that name a message by its id and contain nothing of its content."""

import json
import logging
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest

from local import Behaviour
from local.simulators.provider import ProviderSimulator
from messaging import providers as registry
from messaging.models import OutboundMessage
from messaging.postgres import database as product
from messaging.providers import json_gateway
from messaging.providers.provider import ProviderResult, Webhook
from tests.support import api
from tests.support.aws import Aws
from tests.support.configuration import SIGNING_SECRET, Configure
from tests.support.database import Database
from tests.support.log_lines import Printed

pytestmark = pytest.mark.slow

MARKS = ("Marked", "8045550199", "marked.person", SIGNING_SECRET.removeprefix("whsec_"), "whsec_")
"""Parts of a body, a number, an address, and of the secret that signs requests."""
BODY, NUMBER, ADDRESS = "Marked body", "+18045550199", "marked.person@example.org"
URL = "https://example.com/Marked.jpg?signature=Marked"
CALLED = "https://messaging.example.com"

OUT_SMS = {**api.NEW_SMS, "to": NUMBER, "body": BODY}
OUT_EMAIL = {
    **api.NEW_EMAIL,
    "to": ADDRESS,
    "body": BODY,
    "subject": BODY,
    "html": BODY,
    "attachments": [URL],
}
IN_SMS = {**api.INBOUND_SMS, "from": NUMBER, "body": BODY, "type": "mms", "attachments": [URL], "more": BODY}
IN_EMAIL = {**api.INBOUND_EMAIL, "from": f"Marked <{ADDRESS}>", "body": BODY, "subject": BODY}


@pytest.fixture(autouse=True)
def _prints_nothing_marked(
    database: Database, providers: ProviderSimulator, printed: Printed, caplog: pytest.LogCaptureFixture
) -> Iterator[None]:
    """Checks after every test that nothing marked is printed."""
    caplog.set_level(logging.INFO)
    yield
    assert printed.lines  # all of them are JSON
    for mark in MARKS:
        assert mark not in printed.text
        assert mark not in caplog.text


def post(route: str, fields: Mapping[str, object]) -> api.Answer:
    return api.call("POST", route, fields, api.signed(fields))


def test_sending_logs_no_content(providers: ProviderSimulator, aws: Aws) -> None:
    for route, fields in ((api.SMS, OUT_SMS), (api.EMAIL, OUT_EMAIL)):
        assert api.call("POST", route, fields, {"Idempotency-Key": "Marked"}).status == 202
        assert api.call("POST", route, fields, {"Idempotency-Key": "Marked"}).status == 202
        assert api.call("POST", route, {**fields, "body": "x"}, {"Idempotency-Key": "Marked"}).status == 422
    assert api.deliver(1, 2) == []
    assert len(providers.requests) == 2


@pytest.mark.parametrize(
    "behaviour",
    [
        Behaviour(status=503, body=BODY),
        Behaviour(status=400, body=json.dumps({"error": {"code": "x", "reason": BODY}})),
        Behaviour(body=BODY),
        Behaviour(close="after"),
    ],
)
def test_a_failed_attempt_logs_no_content(providers: ProviderSimulator, behaviour: Behaviour) -> None:
    api.call("POST", api.SMS, OUT_SMS)
    providers.behave(behaviour)
    assert api.deliver(1) == []


def test_a_bug_in_a_provider_is_logged_without_content(
    monkeypatch: pytest.MonkeyPatch, printed: Printed
) -> None:
    class Faulty(json_gateway.Sms):
        def send(self, message: OutboundMessage) -> ProviderResult:
            raise KeyError(message.body, message.recipient, SIGNING_SECRET)

        def parse(self, webhook: Webhook) -> Any:
            raise ValueError(webhook.body, webhook.headers)

    monkeypatch.setitem(registry.REGISTRY, "sms", Faulty)
    api.call("POST", api.SMS, OUT_SMS)
    api.deliver(1)
    answer = post("/api/webhooks/sms", IN_SMS)
    assert answer.status == 202
    assert not any(mark in answer.body.decode() for mark in MARKS)
    faults = [line for line in printed.logs if line["level"] == "ERROR"]
    assert [line["fault"] for line in faults] == ["KeyError", "ValueError"]
    assert [line["traceback"][-1].rpartition(" ")[2] for line in faults] == ["send", "parse"]


def test_receiving_logs_no_content() -> None:
    for route, fields in (("/api/webhooks/sms", IN_SMS), ("/api/webhooks/email", IN_EMAIL)):
        for _ in range(2):
            assert post(route, fields).status == 200
    error = {"code": "30003", "reason": BODY}
    report = {"status": "failed", "messaging_provider_id": "Marked", "error": error}
    assert post("/api/webhooks/sms", report).status == 202


def test_a_rejected_request_logs_no_content(database: Database) -> None:
    for route, fields in ((api.SMS, OUT_SMS), (api.EMAIL, OUT_EMAIL)):
        assert api.call("POST", route, {**fields, "to": BODY, "Marked": BODY}).status == 422
        assert api.call("POST", route, json.dumps(fields).encode()[:-1]).status == 400
        assert api.call("POST", route, fields, {"content-type": "text/Marked"}).status == 415
    for route, fields in (("/api/webhooks/sms", IN_SMS), ("/api/webhooks/email", IN_EMAIL)):
        assert api.call("POST", route, fields).status == 403
        assert api.call("POST", route, fields, {**api.signed(fields), "webhook-id": "Marked"}).status == 403
        for header in ("webhook-id", "webhook-timestamp", "webhook-signature"):
            spoilt = {**api.signed(fields), header: f"{BODY},{SIGNING_SECRET}"}
            assert api.call("POST", route, fields, spoilt).status == 403
        assert post(route, {**fields, "from": f"{BODY}, and more"}).status == 200
        assert post(route, {**fields, BODY: BODY, "timestamp": BODY}).status == 202
        assert post(f"{route}/Marked", fields).status == 404
        assert api.call("POST", route, BODY.encode() + b"\xff", api.signed({})).status == 403
    faults = database.rows("SELECT fault FROM webhook_requests ORDER BY id")
    assert faults == [[None], ["Invalid: timestamp"]] * 2


def test_a_read_logs_no_content() -> None:
    api.call("POST", api.SMS, OUT_SMS)
    for target in (
        *(f"/api/conversations?address={NUMBER}", f"/api/conversations?address={ADDRESS}"),
        *("/api/conversations?cursor=Marked", "/api/conversations?address=Marked%00body", "/api/Marked"),
        *("/api/conversations/1", "/api/conversations/1/messages", "/api/messages/1", "/api/messages/Marked"),
    ):
        api.call("GET", target)
    api.invoke("deliver_message", {"Records": [{"messageId": "1", "body": BODY}]})


def test_an_outage_logs_no_content(configure: Configure, aws: Aws, database: Database) -> None:
    api.call("POST", api.SMS, OUT_SMS)
    aws.delete_queues()
    assert api.call("POST", api.SMS, OUT_SMS).status == 202
    product.disconnect()
    configure(DATABASE_URL="postgresql://Marked:Marked@127.0.0.1:9/Marked?sslmode=disable")
    assert api.call("POST", api.SMS, OUT_SMS).status == 503
    assert post("/api/webhooks/sms", IN_SMS).status == 503
    assert api.deliver(1) == ["record-1"]


def test_a_statement_that_postgres_rejects_is_logged_without_content(
    database: Database, printed: Printed
) -> None:
    database.rows("ALTER TABLE messages ADD CONSTRAINT spoilt CHECK (body NOT LIKE 'Marked%')")
    try:
        assert api.call("POST", api.SMS, OUT_SMS).status == 500
        assert post("/api/webhooks/sms", IN_SMS).status == 202
    finally:
        database.rows("ALTER TABLE messages DROP CONSTRAINT spoilt")
    error_messages = [line["error_message"] for line in printed.logs if line["level"] == "ERROR"]
    assert all("23514" in error_message and "spoilt" in error_message for error_message in error_messages)
    assert len(error_messages) == 2


def test_every_line_names_its_request(printed: Printed) -> None:
    for function, path in (("sms_webhook", "/api/webhooks/sms"), ("email_webhook", "/")):
        assert api.call_url(function, "POST", path, IN_SMS).status == 403
    for line in printed.logs:
        assert {"level", "message", "timestamp", "service", "function_request_id"} <= line.keys()
    assert len({line["correlation_id"] for line in printed.logs}) == 2


def test_a_rejected_signature_is_logged_with_its_reason(printed: Printed, configure: Configure) -> None:
    configure(PUBLIC_URL=CALLED)
    api.call("POST", "/api/webhooks/sms", IN_SMS)
    api.call("POST", "/api/webhooks/sms", IN_SMS, api.signed(IN_SMS, age=timedelta(hours=1)))
    api.call("POST", "/api/webhooks/sms", IN_SMS, api.signed({}))
    refused = [line for line in printed.logs if line["message"] == "Webhook rejected"]
    reasons = [line["reason"] for line in refused]
    assert reasons == ["Missing required headers", "Message timestamp too old", "No matching signature found"]
    assert {(line["provider"], line["url"]) for line in refused} == {("sms", f"{CALLED}/api/webhooks/sms")}
    assert printed.metrics["WebhooksRejected"] == [1, 1, 1]


def test_every_event_is_counted(providers: ProviderSimulator, printed: Printed) -> None:
    api.call("POST", api.SMS, OUT_SMS)
    api.call("POST", api.SMS, OUT_SMS)
    assert printed.metrics == {"Accepted": [1, 1]}
    providers.behave(Behaviour(status=400, times=1))
    api.deliver(1)
    api.deliver(2)
    assert printed.metrics["Failed"] == [1]
    assert printed.metrics["Sent"] == [1]
    [latency] = printed.metrics["DeliveryLatency"]
    assert 0 < latency < 60_000
    for _ in range(2):
        post("/api/webhooks/sms", IN_SMS)
    assert (printed.metrics["Inbound"], printed.metrics["InboundDuplicates"]) == ([1], [1])
    for status in ("sent", "delivered", "delivered", "failed"):
        post("/api/webhooks/sms", {"status": status, "reference": "2"})
    assert (printed.metrics["Delivered"], printed.metrics["Failed"]) == ([1], [1, 1])
    directives = [line["_aws"]["CloudWatchMetrics"][0] for line in printed.lines if "_aws" in line]
    assert {directive["Namespace"] for directive in directives} == {"Messaging"}
