"""What is stored of a request of any provider, through the function that receives it."""

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

pytestmark = pytest.mark.slow


def send(contract: Contract, webhook: Webhook) -> Answer:
    """Send the webhook as the vendor does."""
    assert webhook.url == contract.url
    return call("POST", f"{contract.route}?{webhook.query}".rstrip("?"), webhook.body, webhook.headers)


def rows(database: Database) -> dict[str, object]:
    counted = {table: database.value(f"SELECT count(*) FROM {table}") for table in TABLES.split(", ")}
    return {table: count for table, count in counted.items() if count}


def assert_refused(contract: Contract, webhook: Webhook) -> None:
    answer = send(contract, webhook)
    assert (answer.status, answer.json["title"]) == (403, "Forbidden")
    assert answer.headers["content-type"] == "application/problem+json"


def test_every_provider_has_a_contract_test() -> None:
    assert {contract.provider for contract in REGISTERED} == {provider_class(name) for name in REGISTRY}


@pytest.mark.usefixtures("deploy")
def test_an_unsigned_request_is_not_stored(contract: Contract, database: Database) -> None:
    for body in contract.bodies():
        assert_refused(contract, contract.webhook(body))
        assert_refused(
            contract, contract.webhook(body, {"host": "evil.example", "x-forwarded-host": "evil.example"})
        )
    assert rows(database) == {}


def test_a_request_signed_with_another_key_is_not_stored(
    contract: Contract, deploy: Deploy, database: Database
) -> None:
    requests = list(map(contract.request, contract.bodies()))
    for secret in ({**contract.secret("http://127.0.0.1:9/"), **dict(contract.keys)}, {}):
        if contract.keys or not secret:
            deploy(secret)
            for request in requests:
                assert_refused(contract, request)
    assert rows(database) == {}


@pytest.mark.usefixtures("deploy")
def test_a_stale_request_is_not_stored(contract: Contract, database: Database) -> None:
    if contract.tolerance:  # else the vendor signs no time, and a request that comes again is a duplicate
        for away in (contract.tolerance + timedelta(minutes=1), timedelta(days=400)):
            for at in (datetime.now(UTC) - away, datetime.now(UTC) + away):
                assert_refused(contract, contract.request(contract.inbound, at))
    assert rows(database) == {}


@pytest.mark.usefixtures("deploy")
def test_a_changed_request_is_not_stored(contract: Contract, database: Database) -> None:
    for body in contract.bodies():
        request = contract.request(body)
        if contract.signs_body:
            for other in contract.tampered(request.body):
                assert_refused(contract, replace(request, body=other))
        if contract.signs_url:
            assert_refused(contract, replace(request, query=f"{request.query}&more=1"))
        for name in contract.signature_fields:
            kind = contract.content_type(request.body)
            assert_refused(
                contract, replace(request, body=altered_requests.with_field(request.body, kind, name, "x"))
            )
    assert rows(database) == {}


@pytest.mark.usefixtures("deploy")
def test_a_message_is_stored_once(contract: Contract, database: Database, printed: Printed) -> None:
    request = contract.request(contract.inbound)
    answers = [send(contract, webhook) for webhook in (request, request, contract.request(contract.inbound))]
    assert {200} == {answer.status for answer in answers}
    assert len({answer.body for answer in answers}) == 1
    assert database.rows("SELECT provider, id_at_provider(m) FROM messages m") == [
        [NAME, contract.inbound_id]
    ]
    assert printed.metrics["Inbound"] == [1]


@pytest.mark.usefixtures("deploy")
def test_a_replay_token_is_valid_for_one_body(contract: Contract, database: Database) -> None:
    if not contract.signs_body:
        request = contract.request(contract.inbound)
        assert send(contract, request).status == 200
        before = rows(database)
        more = altered_requests.with_more(request.body, contract.content_type(request.body))
        assert_refused(contract, replace(request, body=more))
        assert rows(database) == before


@pytest.mark.usefixtures("deploy")
def test_a_report_about_an_unknown_message_is_pending(contract: Contract, database: Database) -> None:
    for _ in range(2):
        assert 200 <= send(contract, contract.request(contract.report)).status < 300
    assert database.rows("SELECT DISTINCT provider, status FROM pending_reports") == [[NAME, "delivered"]]
    assert database.value("SELECT count(*) FROM messages") == 0


@pytest.mark.usefixtures("deploy")
def test_a_signed_request_that_cannot_be_read_is_stored_unread(
    contract: Contract, database: Database, printed: Printed
) -> None:
    request = contract.request(contract.unreadable)
    answer = send(contract, request)
    assert 200 <= answer.status < 300
    [[body, fault]] = database.rows("SELECT body, fault FROM webhook_requests")
    assert (body, bool(fault)) == (request.body, True)
    assert rows(database) == {"webhook_requests": 1}
    assert printed.metrics["WebhooksUnreadable"] == [1]


@pytest.mark.usefixtures("deploy")
def test_the_readable_parts_of_a_batch_are_stored(
    contract: Contract, database: Database, printed: Printed
) -> None:
    if contract.batch:
        assert send(contract, contract.request(contract.batch)).status == 200
        assert rows(database)["webhook_requests"] == 1
        assert database.value("SELECT fault IS NOT NULL FROM webhook_requests")
        both = "SELECT (SELECT count(*) FROM messages) + (SELECT count(*) FROM pending_reports)"
        assert database.value(both) == 2
        assert printed.metrics["WebhooksUnreadable"] == [1]


@pytest.mark.usefixtures("deploy")
def test_another_name_or_channel_in_the_route_is_not_found(contract: Contract, database: Database) -> None:
    request = contract.request(contract.inbound)
    other = "sms" if Channel.EMAIL in contract.provider.channels else "email"
    own = contract.route.split("/")[3]
    for path in (
        f"/api/webhooks/{own}/nobody",
        f"/api/webhooks/{own}/{NAME}x",
        f"/api/webhooks/{own}",
        *([f"/api/webhooks/{other}/{NAME}"] if Channel(other) not in contract.provider.channels else []),
    ):
        answer = call("POST", path, request.body, request.headers)
        assert (answer.status, answer.headers["content-type"]) == (404, "application/problem+json")
    assert rows(database) == {}
