"""Accepting and relaying: what is kept, what is refused, and what a lost dispatch costs."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from local.simulators.provider import ProviderSimulator
from messaging import providers, relay
from messaging.models import NewEmail, NewSms, Status
from messaging.outbound import accept, attempts, delivery
from messaging.outbound.store import IdempotencyKey
from messaging.problems import Invalid
from messaging.providers.json_gateway import Email
from tests.support.api import NEW_EMAIL, NEW_SMS
from tests.support.aws import Aws
from tests.support.configuration import Configure
from tests.support.database import Database
from tests.support.messages import ACCOUNT
from tests.support.providers.pager import Pager
from tests.support.tcp_server import hang, playing

pytestmark = pytest.mark.usefixtures("providers")

WAIT = "SELECT extract(epoch FROM dispatch_at - clock_timestamp())::float FROM outbound_queue"


def sms(**changes: object) -> NewSms:
    return NewSms.model_validate({**NEW_SMS, **changes})


def key(name: str = "key", fingerprint: str = "print") -> IdempotencyKey:
    return IdempotencyKey("/api/messages/sms", name, fingerprint)


def wait(database: Database) -> float:
    """Seconds until the relay takes the only message's dispatch for lost."""
    found = database.value(WAIT)
    assert isinstance(found, float)
    return found


def test_a_message_is_stored_and_dispatched_once(database: Database, aws: Aws) -> None:
    message, replayed = accept.accept(ACCOUNT, sms())
    assert (message.id, message.status, message.provider, replayed) == (1, "queued", "sms", False)
    assert [dispatch["Body"] for dispatch in aws.queued()] == ["1"]
    assert 55 < wait(database) <= 60


def test_an_email_goes_to_the_provider_for_email(database: Database) -> None:
    assert accept.accept(ACCOUNT, NewEmail.model_validate(NEW_EMAIL)).message.provider == "email"


def test_a_type_that_no_provider_sends_is_refused(database: Database, aws: Aws, configure: Configure) -> None:
    configure(PROVIDERS="email")
    with pytest.raises(Invalid) as raised:
        accept.accept(ACCOUNT, sms())
    assert [error["field"] for error in raised.value.errors] == ["type"]
    assert database.value("SELECT count(*) FROM messages") == 0
    assert aws.queued() == []


def test_a_message_beyond_the_limits_of_the_first_provider_is_refused(
    database: Database, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(providers.REGISTRY, "pager", Pager)
    configure(PROVIDERS="pager,sms")
    assert accept.accept(ACCOUNT, sms(body="x" * 160)).message.provider == "pager"
    with pytest.raises(Invalid) as raised:
        accept.accept(ACCOUNT, sms(body="x" * 161))
    assert [error["field"] for error in raised.value.errors] == ["body"]
    assert "pager" in raised.value.errors[0]["message"]
    assert (
        accept.accept(ACCOUNT, sms(type="mms", attachments=["https://example.com/i"])).message.provider
        == "sms"
    )
    assert database.value("SELECT count(*) FROM messages") == 2


def test_every_field_that_the_provider_cannot_send_is_named(database: Database) -> None:
    with pytest.raises(Invalid) as raised:
        accept.accept(ACCOUNT, sms(cc=["a@example.org"], reply_to="a@example.org", headers={"X-A": "1"}))
    assert [error["field"] for error in raised.value.errors] == ["cc", "headers", "reply_to"]
    assert database.value("SELECT count(*) FROM messages") == 0


@pytest.mark.parametrize("name", ["x-order-of-the-day", "X-MARK"])
def test_a_header_that_the_provider_reserves_is_refused(
    database: Database, configure: Configure, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    class Reserved(Email):
        limits = replace(Email.limits, reserved=("x-order-", "x-mark"))

    monkeypatch.setitem(providers.REGISTRY, "reserved", Reserved)
    configure(PROVIDERS="reserved")
    marked = NewEmail.model_validate(NEW_EMAIL | {"headers": {name: "x", "X-Marked": "x", "X-Order": "x"}})
    with pytest.raises(Invalid) as raised:
        accept.accept(ACCOUNT, marked)
    [error] = raised.value.errors
    assert error == {"field": f"headers.{name}", "message": "reserved keeps this header to itself"}
    configure(PROVIDERS="email,reserved")
    accept.accept(ACCOUNT, marked)
    assert database.value("SELECT providers FROM messages") == ["email"], "it stands in for nobody"


def test_the_same_key_returns_the_same_message_without_another_dispatch(database: Database, aws: Aws) -> None:
    first = accept.accept(ACCOUNT, sms(), key())
    again = accept.accept(ACCOUNT, sms(body="another, by the same print"), key())
    assert (first.replayed, again.replayed) == (False, True)
    assert again.message == first.message
    assert len(aws.queued()) == 1


def test_a_key_that_was_used_with_another_body_is_refused(database: Database, aws: Aws) -> None:
    accept.accept(ACCOUNT, sms(), key())
    with pytest.raises(Invalid) as raised:
        accept.accept(ACCOUNT, sms(body="other"), key(fingerprint="other"))
    assert [error["field"] for error in raised.value.errors] == ["Idempotency-Key"]
    assert database.value("SELECT count(*) FROM messages") == 1
    assert len(aws.queued()) == 1


def test_a_refused_message_does_not_use_its_key(database: Database, configure: Configure) -> None:
    configure(PROVIDERS="email")
    with pytest.raises(Invalid):
        accept.accept(ACCOUNT, sms(), key())
    configure(PROVIDERS="sms")
    assert not accept.accept(ACCOUNT, sms(), key()).replayed


def test_a_message_is_accepted_while_the_secret_is_unavailable(
    database: Database, aws: Aws, configure: Configure
) -> None:
    configure(PROVIDER_SECRET_ARN="arn:aws:secretsmanager:us-east-1:000000000000:secret:gone")
    assert accept.accept(ACCOUNT, sms()).message.status == "queued"
    assert len(aws.queued()) == 1


def test_a_message_is_accepted_without_a_queue_and_due_for_the_relay(database: Database, aws: Aws) -> None:
    aws.lose_the_queues()
    assert accept.accept(ACCOUNT, sms()).message.status == "queued"
    assert wait(database) <= 0


@pytest.mark.parametrize("away", ["refuses", "hangs"])
def test_an_unavailable_queue_delays_an_accept_by_a_second(
    database: Database, configure: Configure, aws_at: Callable[[str], None], away: str
) -> None:
    configure(PROVIDER_SECRET_ARN="")
    with playing(hang) as address:
        aws_at(f"http://{address}" if away == "hangs" else "http://127.0.0.1:9")
        accept.accept(ACCOUNT, sms())  # makes the client, which takes its time once
        began = time.monotonic()
        assert accept.accept(ACCOUNT, sms()).message.status == "queued"
        assert time.monotonic() - began < 2.5
    assert database.value("SELECT bool_and(dispatch_at <= clock_timestamp()) FROM outbound_queue")


# --- Relaying ----------------------------------------------------------------------------------------


def run_relay(seconds: float = 55) -> dict[str, int]:
    return relay.relay(lambda: seconds)


def test_only_messages_that_are_due_are_dispatched(database: Database, aws: Aws) -> None:
    for _ in range(3):
        accept.accept(ACCOUNT, sms())
    aws.queued()
    database.rows("UPDATE outbound_queue SET dispatch_at = clock_timestamp() WHERE message_id > 1")
    assert run_relay() == {"leases_expired": 0, "reports_applied": 0, "dispatched": 2, "deleted": 0}
    assert sorted(dispatch["Body"] for dispatch in aws.queued()) == ["2", "3"]
    assert run_relay() == {"leases_expired": 0, "reports_applied": 0, "dispatched": 0, "deleted": 0}


def test_a_backlog_longer_than_a_batch_is_dispatched(
    database: Database, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "BATCH_SIZE", 7)
    for _ in range(20):
        accept.accept(ACCOUNT, sms())
    aws.queued()
    database.rows("UPDATE outbound_queue SET dispatch_at = clock_timestamp()")
    assert run_relay()["dispatched"] == 20
    assert len(aws.queued()) == 20


def test_no_batch_begins_without_time_for_it(database: Database, aws: Aws) -> None:
    accept.accept(ACCOUNT, sms())
    aws.queued()
    database.rows("UPDATE outbound_queue SET dispatch_at = clock_timestamp()")
    assert run_relay(seconds=4)["dispatched"] == 0
    assert aws.queued() == []


def test_messages_that_the_queue_does_not_take_are_due_in_the_next_round(
    database: Database, aws: Aws
) -> None:
    accept.accept(ACCOUNT, sms())
    database.rows("UPDATE outbound_queue SET dispatch_at = clock_timestamp()")
    aws.lose_the_queues()
    assert run_relay()["dispatched"] == 0
    assert wait(database) <= 0


def test_an_expired_lease_is_an_unknown_outcome_and_a_late_record_still_counts(
    database: Database, aws: Aws, providers: ProviderSimulator
) -> None:
    accept.accept(ACCOUNT, sms())
    [claimed] = attempts.claim([1], timedelta(seconds=30)).messages
    assert run_relay()["leases_expired"] == 0
    database.rows("UPDATE leases SET expires_at = clock_timestamp()")
    assert run_relay()["leases_expired"] == 1
    [[status, code]] = database.rows("SELECT status, error_code FROM messages")
    assert (status, code) == ("unknown", "lease_expired")
    delivery.deliver([1], lambda: 30)
    assert providers.requests == []
    # Its worker was only slow: what it records is kept.
    assert attempts.record(claimed.token, Status.SENT, provider_message_id="late").status == "sent"


def test_idempotency_keys_are_deleted_after_a_day(database: Database) -> None:
    accept.accept(ACCOUNT, sms(), key("old"))
    accept.accept(ACCOUNT, sms(), key("new"))
    old = "UPDATE idempotency_keys SET created_at = clock_timestamp() - interval '24 hours' WHERE key = 'old'"
    database.rows(old)
    assert run_relay()["deleted"] == 1
    assert database.rows("SELECT key FROM idempotency_keys") == [["new"]]
    assert accept.accept(ACCOUNT, sms(), key("new")).replayed
    assert not accept.accept(ACCOUNT, sms(), key("old")).replayed
