"""Whichever provider calls: what is kept of its request, through the function that takes it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from messaging.models import Channel
from messaging.providers import REGISTRY, provider_class
from messaging.providers.provider import Webhook
from tests.functions.conftest import REGISTERED, Deploy
from tests.support.api import Answer, call
from tests.support.database import Database
from tests.support.database_reset import TABLES
from tests.support.log_lines import Printed
from tests.support.providers import altered_requests
from tests.support.providers.contract import Contract
from tests.support.providers.vendor_profile import NAME


def told(speaker: Contract, webhook: Webhook) -> Answer:
    """What the vendor hears that sends this."""
    assert webhook.url == speaker.url
    return call("POST", f"{speaker.route}?{webhook.query}".rstrip("?"), webhook.body, webhook.headers)


def rows(database: Database) -> dict[str, object]:
    counted = {table: database.value(f"SELECT count(*) FROM {table}") for table in TABLES.split(", ")}
    return {table: count for table, count in counted.items() if count}


def refused(speaker: Contract, webhook: Webhook) -> None:
    answer = told(speaker, webhook)
    assert (answer.status, answer.json["title"]) == (403, "Forbidden")
    assert answer.headers["content-type"] == "application/problem+json"


def test_every_provider_has_a_contract_test() -> None:
    assert {one.provider for one in REGISTERED} == {provider_class(name) for name in REGISTRY}


@pytest.mark.usefixtures("deploy")
def test_an_unsigned_request_is_not_stored(speaker: Contract, database: Database) -> None:
    for body in speaker.bodies():
        refused(speaker, speaker.webhook(body))
        refused(speaker, speaker.webhook(body, {"host": "evil.example", "x-forwarded-host": "evil.example"}))
    assert rows(database) == {}


def test_a_request_signed_with_another_key_is_not_stored(
    speaker: Contract, deploy: Deploy, database: Database
) -> None:
    requests = list(map(speaker.request, speaker.bodies()))
    for secret in ({**speaker.secret("http://127.0.0.1:9/"), **dict(speaker.keys)}, {}):
        if speaker.keys or not secret:
            deploy(secret)
            for request in requests:
                refused(speaker, request)
    assert rows(database) == {}


@pytest.mark.usefixtures("deploy")
def test_a_stale_request_is_not_stored(speaker: Contract, database: Database) -> None:
    if speaker.tolerance:  # else the vendor signs no time, and a request that comes again is a duplicate
        for away in (speaker.tolerance + timedelta(minutes=1), timedelta(days=400)):
            for at in (datetime.now(UTC) - away, datetime.now(UTC) + away):
                refused(speaker, speaker.request(speaker.inbound, at))
    assert rows(database) == {}


@pytest.mark.usefixtures("deploy")
def test_a_changed_request_is_not_stored(speaker: Contract, database: Database) -> None:
    for body in speaker.bodies():
        request = speaker.request(body)
        if speaker.signs_body:
            for other in speaker.tampered(request.body):
                refused(speaker, replace(request, body=other))
        if speaker.signs_url:
            refused(speaker, replace(request, query=f"{request.query}&more=1"))
        for name in speaker.signature_fields:
            kind = speaker.content_type(request.body)
            refused(
                speaker, replace(request, body=altered_requests.with_field(request.body, kind, name, "x"))
            )
    assert rows(database) == {}


@pytest.mark.usefixtures("deploy")
def test_a_message_is_stored_once(speaker: Contract, database: Database, printed: Printed) -> None:
    request = speaker.request(speaker.inbound)
    answers = [told(speaker, one) for one in (request, request, speaker.request(speaker.inbound))]
    assert {200} == {answer.status for answer in answers}
    assert len({answer.body for answer in answers}) == 1
    assert database.rows("SELECT provider, provider_message_id FROM messages") == [[NAME, speaker.inbound_id]]
    assert printed.metrics["Inbound"] == [1]


@pytest.mark.usefixtures("deploy")
def test_a_replay_token_is_valid_for_one_body(speaker: Contract, database: Database) -> None:
    if not speaker.signs_body:
        request = speaker.request(speaker.inbound)
        assert told(speaker, request).status == 200
        before = rows(database)
        more = altered_requests.with_more(request.body, speaker.content_type(request.body))
        refused(speaker, replace(request, body=more))
        assert rows(database) == before


@pytest.mark.usefixtures("deploy")
def test_a_report_about_an_unknown_message_is_pending(speaker: Contract, database: Database) -> None:
    for _ in range(2):
        assert 200 <= told(speaker, speaker.request(speaker.report)).status < 300
    assert database.rows("SELECT DISTINCT provider, status FROM pending_reports") == [[NAME, "delivered"]]
    assert database.value("SELECT count(*) FROM messages") == 0


@pytest.mark.usefixtures("deploy")
def test_a_signed_request_that_cannot_be_read_is_stored_unread(
    speaker: Contract, database: Database, printed: Printed
) -> None:
    request = speaker.request(speaker.unreadable)
    answer = told(speaker, request)
    assert 200 <= answer.status < 300
    [[body, fault]] = database.rows("SELECT body, fault FROM webhook_requests")
    assert (body, bool(fault)) == (request.body, True)
    assert rows(database) == {"webhook_requests": 1}
    assert printed.metrics["WebhooksUnreadable"] == [1]


@pytest.mark.usefixtures("deploy")
def test_the_readable_parts_of_a_batch_are_stored(
    speaker: Contract, database: Database, printed: Printed
) -> None:
    if speaker.batch:
        assert told(speaker, speaker.request(speaker.batch)).status == 200
        assert rows(database)["webhook_requests"] == 1
        assert database.value("SELECT fault IS NOT NULL FROM webhook_requests")
        both = "SELECT (SELECT count(*) FROM messages) + (SELECT count(*) FROM pending_reports)"
        assert database.value(both) == 2
        assert printed.metrics["WebhooksUnreadable"] == [1]


@pytest.mark.usefixtures("deploy")
def test_another_name_or_channel_in_the_route_is_not_found(speaker: Contract, database: Database) -> None:
    request = speaker.request(speaker.inbound)
    other = "sms" if Channel.EMAIL in speaker.provider.channels else "email"
    own = speaker.route.split("/")[3]
    for path in (
        f"/api/webhooks/{own}/nobody",
        f"/api/webhooks/{own}/{NAME}x",
        f"/api/webhooks/{own}",
        *([f"/api/webhooks/{other}/{NAME}"] if Channel(other) not in speaker.provider.channels else []),
    ):
        answer = call("POST", path, request.body, request.headers)
        assert (answer.status, answer.headers["content-type"]) == (404, "application/problem+json")
    assert rows(database) == {}
