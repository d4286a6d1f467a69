"""Accepting: what is stored, what is refused, and what a failed dispatch costs."""

import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from messaging import providers
from messaging.models import NewEmail, NewSms
from messaging.outbound import accept
from messaging.outbound.store import IdempotencyKey
from messaging.problems import Invalid
from messaging.providers.json_gateway import Email
from tests.support.api import NEW_EMAIL, NEW_SMS
from tests.support.aws import Aws
from tests.support.configuration import Configure
from tests.support.database import Database
from tests.support.messages import ACCOUNT
from tests.support.providers.example_provider import ExampleProvider
from tests.support.tcp_server import hang, serve

pytestmark = pytest.mark.usefixtures("providers")

WAIT = "SELECT extract(epoch FROM dispatch_at - clock_timestamp())::float FROM outbound_queue"


def sms(**changes: object) -> NewSms:
    return NewSms.model_validate({**NEW_SMS, **changes})


def key(name: str = "key", fingerprint: str = "print") -> IdempotencyKey:
    return IdempotencyKey("/api/messages/sms", name, fingerprint)


def wait(database: Database) -> float:
    """Seconds until the dispatch of the only message counts as lost."""
    seconds = database.value(WAIT)
    assert isinstance(seconds, float)
    return seconds


def test_a_message_is_stored_and_dispatched_once(database: Database, aws: Aws) -> None:
    message, replayed = accept.accept(ACCOUNT, sms())
    assert (message.id, message.status, message.provider, replayed) == (1, "queued", "sms", False)
    assert [dispatch["Body"] for dispatch in aws.receive_queued()] == ["1"]
    assert 55 < wait(database) <= 60


def test_an_email_goes_to_the_provider_for_email(database: Database) -> None:
    assert accept.accept(ACCOUNT, NewEmail.model_validate(NEW_EMAIL)).message.provider == "email"


def test_a_type_that_no_provider_sends_is_refused(database: Database, aws: Aws, configure: Configure) -> None:
    configure(PROVIDERS="email")
    with pytest.raises(Invalid) as raised:
        accept.accept(ACCOUNT, sms())
    assert [error["field"] for error in raised.value.errors] == ["type"]
    assert database.value("SELECT count(*) FROM messages") == 0
    assert aws.receive_queued() == []


def test_a_message_beyond_the_limits_of_the_first_provider_is_refused(
    database: Database, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(providers.REGISTRY, "example", ExampleProvider)
    configure(PROVIDERS="example,sms")
    assert accept.accept(ACCOUNT, sms(body="x" * 160)).message.provider == "example"
    with pytest.raises(Invalid) as raised:
        accept.accept(ACCOUNT, sms(body="x" * 161))
    assert [error["field"] for error in raised.value.errors] == ["body"]
    assert "example" in raised.value.errors[0]["message"]
    assert (
        accept.accept(ACCOUNT, sms(type="mms", attachments=["https://example.com/i"])).message.provider
        == "sms"
    )
    assert database.value("SELECT count(*) FROM messages") == 2


def test_every_field_that_the_provider_cannot_send_is_named(database: Database) -> None:
    with pytest.raises(Invalid) as raised:
        accept.accept(ACCOUNT, sms(cc=["a@example.org"], reply_to="a@example.org", headers={"X-A": "1"}))
    assert [error["field"] for error in raised.value.errors] == ["cc", "reply_to", "headers"]
    assert database.value("SELECT count(*) FROM messages") == 0


@pytest.mark.parametrize("name", ["x-order-of-the-day", "X-MARK"])
def test_a_header_that_the_provider_reserves_is_refused(
    database: Database, configure: Configure, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    class Reserved(Email):
        limits = replace(Email.limits, reserved_headers=("x-order-", "x-mark"))

    monkeypatch.setitem(providers.REGISTRY, "reserved", Reserved)
    configure(PROVIDERS="reserved")
    marked = NewEmail.model_validate(NEW_EMAIL | {"headers": {name: "x", "X-Marked": "x", "X-Order": "x"}})
    with pytest.raises(Invalid) as raised:
        accept.accept(ACCOUNT, marked)
    [error] = raised.value.errors
    assert error == {"field": f"headers.{name}", "message": "must not name a header that reserved reserves"}
    configure(PROVIDERS="email,reserved")
    accept.accept(ACCOUNT, marked)
    assert database.value("SELECT providers FROM messages") == ["email"], (
        "a provider that reserves the header is not a fallback"
    )


def test_the_same_key_returns_the_same_message_without_another_dispatch(database: Database, aws: Aws) -> None:
    first = accept.accept(ACCOUNT, sms(), key())
    again = accept.accept(ACCOUNT, sms(body="another body with the same fingerprint"), key())
    assert (first.replayed, again.replayed) == (False, True)
    assert again.message == first.message
    assert len(aws.receive_queued()) == 1


def test_a_key_that_was_used_with_another_body_is_refused(database: Database, aws: Aws) -> None:
    accept.accept(ACCOUNT, sms(), key())
    with pytest.raises(Invalid) as raised:
        accept.accept(ACCOUNT, sms(body="other"), key(fingerprint="other"))
    assert [error["field"] for error in raised.value.errors] == ["Idempotency-Key"]
    assert database.value("SELECT count(*) FROM messages") == 1
    assert len(aws.receive_queued()) == 1


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
    assert len(aws.receive_queued()) == 1


def test_a_message_is_accepted_without_a_queue_and_due_for_the_relay(database: Database, aws: Aws) -> None:
    aws.delete_queues()
    assert accept.accept(ACCOUNT, sms()).message.status == "queued"
    assert wait(database) <= 0


@pytest.mark.slow
@pytest.mark.parametrize("outage", ["refuses", "hangs"])
def test_an_unavailable_queue_delays_an_accept_by_a_second(
    database: Database, configure: Configure, aws_at: Callable[[str], None], outage: str
) -> None:
    configure(PROVIDER_SECRET_ARN="")
    with serve(hang) as address:
        aws_at(f"http://{address}" if outage == "hangs" else "http://127.0.0.1:9")
        accept.accept(ACCOUNT, sms())  # the first call creates the client, which takes longer
        started = time.monotonic()
        assert accept.accept(ACCOUNT, sms()).message.status == "queued"
        assert time.monotonic() - started < 2.5
    assert database.value("SELECT bool_and(dispatch_at <= clock_timestamp()) FROM outbound_queue")
