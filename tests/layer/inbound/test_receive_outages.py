"""What is signed is never lost: not to a fault of our reading, not to a database that is away."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

import pytest

from messaging import providers
from messaging.inbound import receive as inbound_receive
from messaging.inbound import replay as inbound_replay
from messaging.inbound import spool
from messaging.inbound.store import Selector
from messaging.inbound.webhook_request import WebhookRequest
from messaging.models import Channel
from messaging.postgres import database as product
from messaging.problems import SignatureRejected, Unavailable
from messaging.providers import json_gateway
from messaging.providers.provider import Answer, Webhook
from messaging.telemetry import flush
from tests.support import api
from tests.support.api import INBOUND_EMAIL, INBOUND_SMS
from tests.support.aws import Aws
from tests.support.configuration import Configure
from tests.support.database import Database
from tests.support.log_lines import Printed
from tests.support.providers.pager import Pager

pytestmark = pytest.mark.usefixtures("providers", "database")

AWAY = "postgresql://nobody:nothing@127.0.0.1:9/nowhere?sslmode=disable"
MESSAGES = "SELECT count(*) FROM messages"
REQUESTS = "SELECT fault FROM webhook_requests ORDER BY id"
UNPARSED = Selector(Channel.SMS, unparsed=True)


class Faulty(json_gateway.Sms):
    """As it may be before it is mended."""

    def parse(self, webhook: Webhook) -> Any:
        raise KeyError(webhook.body)


def webhook(body: bytes, *, signed: bool = True) -> Webhook:
    return Webhook("https://example.com/", "", api.signed(body) if signed else {}, body)


def receive(fields: Mapping[str, object], *, signed: bool = True) -> Answer:
    return inbound_receive.receive(Channel.SMS, "sms", webhook(json.dumps(fields).encode(), signed=signed))


def replay(selector: Selector = UNPARSED) -> tuple[int, int, int, int | None]:
    return inbound_replay.replay(selector, 0, lambda: 20)


@pytest.fixture
def away(configure: Configure, database: Database) -> Any:
    """Has the database be away, and back again."""

    def leave(*, away: bool) -> None:
        product.disconnect()
        configure(DATABASE_URL=AWAY if away else database.url)

    return leave


# --- What cannot be read -----------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"{", b"\0", b"[]", b'{"from": 7}', b'{"status": "sent"}'])
def test_what_is_signed_and_cannot_be_read_is_kept_and_answered_well(
    database: Database, printed: Printed, body: bytes
) -> None:
    answered = inbound_receive.receive(Channel.SMS, "sms", webhook(body))
    assert answered.status == 202
    assert json.loads(answered.body).keys() == {"detail"}
    [[kept, fault]] = database.rows("SELECT body, fault FROM webhook_requests")
    assert kept == body
    assert str(fault).partition(":")[0] in ("Unreadable", "Invalid")
    flush()
    assert printed.metrics == {"WebhooksUnreadable": [1]}
    [line] = [line for line in printed.logs if line["level"] == "ERROR"]
    assert line["provider"] == "sms"


def test_a_fault_of_ours_is_told_by_its_place_and_replayed_once_it_is_mended(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as faulty:
        faulty.setitem(providers.REGISTRY, "sms", Faulty)
        for _ in range(2):  # its provider may repeat it
            assert receive(INBOUND_SMS).status == 202
        [[fault]] = database.rows(REQUESTS)
        assert str(fault).startswith("KeyError in test_receive_outages.py, line ")
        assert replay() == (0, 1, 0, None)
    assert database.value(MESSAGES) == 0
    assert replay() == (1, 0, 0, None)
    assert database.rows(REQUESTS) == [[None]]
    assert replay() == (0, 0, 0, None)
    assert replay(Selector(Channel.SMS, ids=[1])) == (1, 0, 0, None)
    assert database.value(MESSAGES) == 1


def test_a_replay_gives_what_its_request_would_have_given_then(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a part has no time of its own, that of its arrival."""
    with monkeypatch.context() as faulty:
        faulty.setitem(providers.REGISTRY, "sms", Faulty)
        receive(INBOUND_SMS)
    replay()
    rows = "SELECT m.timestamp = r.received_at FROM messages m, webhook_requests r"
    assert database.value(rows) is True


def test_what_the_provider_repeats_after_the_fix_needs_no_replay(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as faulty:
        faulty.setitem(providers.REGISTRY, "sms", Faulty)
        receive(INBOUND_SMS)
    assert receive(INBOUND_SMS).status == 200
    assert database.rows(REQUESTS) == [[None]]


def test_what_bears_no_signature_and_cannot_be_read_is_its_sender_s_fault(
    database: Database, configure: Configure
) -> None:
    with pytest.raises(SignatureRejected):
        receive({"from": 7}, signed=False)
    configure(ALLOW_UNSIGNED_WEBHOOKS="true")
    for body, status in (({"from": 7}, 422), ([], 400)):
        assert api.call("POST", "/api/webhooks/sms", body).status == status
    assert api.call("POST", "/api/webhooks/sms", INBOUND_SMS).status == 200
    assert database.rows(REQUESTS) == [[None]]


def test_one_part_that_cannot_be_read_does_not_lose_the_others(
    database: Database, monkeypatch: pytest.MonkeyPatch, aws: Aws, configure: Configure
) -> None:
    monkeypatch.setitem(providers.REGISTRY, "pager", Pager)
    configure(PROVIDERS="pager", PROVIDER_SECRET_ARN=aws.keep({"pager": {"key": "key"}}))
    got = [{"n": f"in-{n}", "src": api.CONTACT, "dst": api.CUSTOMER, "text": "in"} for n in range(3)]
    body = json.dumps({"got": [got[0], {**got[1], "src": 7}, got[2]]}).encode()
    headers = {"x-pager-signature": hmac.new(b"key", body, hashlib.sha256).hexdigest()}
    answered = inbound_receive.receive(Channel.SMS, "pager", Webhook("", "", headers, body))
    assert (answered.status, answered.body) == (200, '<thanks for="3"/>')
    assert database.rows("SELECT provider_message_id FROM messages ORDER BY id") == [["in-0"], ["in-2"]]
    assert database.rows(REQUESTS) == [["Invalid: src"]]


def test_a_request_of_a_provider_that_is_gone_is_left_and_told_apart(
    database: Database, configure: Configure
) -> None:
    receive(INBOUND_SMS)
    database.rows("UPDATE webhook_requests SET provider = 'gone', fault = 'x'")
    receive({**INBOUND_SMS, "messaging_provider_id": "message-2"})
    assert replay(Selector(Channel.SMS, ids=[1, 2])) == (1, 0, 1, None)


def test_a_replay_ends_before_its_time_and_says_where_to_go_on(database: Database) -> None:
    for n in range(25):
        receive({**INBOUND_SMS, "messaging_provider_id": f"message-{n}"})
    left = iter([20.0] * 12 + [0.0])
    everything = Selector(Channel.SMS, provider="sms")
    assert inbound_replay.replay(everything, 0, lambda: next(left)) == (12, 0, 0, 12)
    assert inbound_replay.replay(everything, 12, lambda: 20) == (13, 0, 0, None)


def test_only_what_came_by_its_route_is_a_function_s_to_replay(database: Database) -> None:
    body = json.dumps(INBOUND_EMAIL).encode()
    inbound_receive.receive(Channel.EMAIL, "email", webhook(body))
    assert replay(Selector(Channel.SMS, ids=[1])) == (0, 0, 0, None)
    assert replay(Selector(Channel.EMAIL, ids=[1])) == (1, 0, 0, None)


# --- While the database is away ----------------------------------------------------------------------


def test_what_is_signed_is_held_and_kept_once_when_the_database_is_back(
    database: Database, aws: Aws, away: Any, printed: Printed
) -> None:
    away(away=True)
    first, second = receive(INBOUND_SMS), receive(INBOUND_SMS)
    assert first == second
    assert (first.status, json.loads(first.body).keys()) == (202, {"detail"})
    records = aws.held(seconds=60)
    assert len(records) == 2
    away(away=False)
    for record in records * 2:
        inbound_receive.store_spooled(spool.parse_record(record["body"]))
    assert database.value(MESSAGES) == 1
    [[received, verified, now]] = database.rows(
        "SELECT received_at, verified_at, created_at FROM webhook_requests"
    )
    assert received < verified < now  # type: ignore[operator]  # they are times
    assert "Marked" not in printed.text


def test_what_was_held_and_cannot_be_read_is_kept_as_well(database: Database, aws: Aws, away: Any) -> None:
    away(away=True)
    assert receive({"from": 7}).status == 202
    [record] = aws.held()
    away(away=False)
    inbound_receive.store_spooled(spool.parse_record(record["body"]))
    assert str(database.value(REQUESTS)).startswith("Invalid: ")


def test_what_is_not_signed_is_not_held(aws: Aws, away: Any) -> None:
    away(away=True)
    with pytest.raises(SignatureRejected):
        receive(INBOUND_SMS, signed=False)
    assert aws.held() == []


def test_what_cannot_be_verified_for_want_of_the_secret_is_not_held(aws: Aws, configure: Configure) -> None:
    configure(PROVIDER_SECRET_ARN="arn:aws:secretsmanager:us-east-1:000000000000:secret:gone")
    with pytest.raises(Unavailable):
        receive(INBOUND_SMS)
    assert aws.held() == []


def test_where_the_queue_is_away_as_well_its_provider_is_to_come_back(
    aws: Aws, away: Any, database: Database, configure: Configure
) -> None:
    away(away=True)
    aws.lose_the_queues()
    body = json.dumps(INBOUND_SMS).encode()
    answered = api.call("POST", "/api/webhooks/sms", body, api.signed(body))
    assert (answered.status, answered.headers["retry-after"]) == (503, "5")


def test_an_object_that_is_gone_is_no_loss_where_its_request_was_kept(
    database: Database, aws: Aws, away: Any
) -> None:
    away(away=True)
    body = {**INBOUND_SMS, "body": "x" * 300_000}
    receive(body)
    [record] = aws.held()
    held = spool.parse_record(record["body"])
    assert not isinstance(held, WebhookRequest)
    away(away=False)
    for _ in range(2):  # the second time as by one that took over from a keeper who died
        inbound_receive.store_spooled(held)
        assert aws.objects() == []
    database.rows("DELETE FROM webhook_requests")
    with pytest.raises(spool.SpoolObjectMissing):
        inbound_receive.store_spooled(held)
