"""Delivery while something is unavailable: the providers' secret, the queue, or Postgres."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from local import Behaviour
from local.commands.openapi import load
from local.services import ports
from local.services.postgres import Postgres
from local.simulators.provider import ProviderSimulator
from messaging.outbound import delivery as product_delivery
from messaging.postgres import database as product
from messaging.problems import Unavailable
from tests.support.aws import Aws
from tests.support.configuration import SIGNING_SECRET, Configure
from tests.support.database import Database
from tests.support.delivery import accept, deliver, make_due, state
from tests.support.lambda_context import Context
from tests.support.messages import own_all
from tests.support.tcp_server import hang, serve
from tests.support.waiting import eventually

pytestmark = pytest.mark.usefixtures("aws")


def without_provider(aws: Aws) -> Mapping[str, str]:
    return {"PROVIDERS": "email"}


def with_a_broken_secret(aws: Aws) -> Mapping[str, str]:
    return {
        "PROVIDER_SECRET_ARN": aws.create_secret(
            {"sms": {"url": "http://127.0.0.1:9/", "signing_secret": "whsec_x"}}
        )
    }


@pytest.mark.parametrize("broken_configuration", [without_provider, with_a_broken_secret])
def test_an_unusable_provider_costs_an_attempt_but_no_message(
    database: Database,
    aws: Aws,
    providers: ProviderSimulator,
    configure: Configure,
    broken_configuration: Any,
) -> None:
    accept(aws)
    before = {"PROVIDERS": "sms,email", "PROVIDER_SECRET_ARN": ""}
    configure(**before | broken_configuration(aws))
    deliver(1)
    assert state(database) == ("queued", "not_configured", 1)
    fixed = {"sms": {"url": f"{providers.url}/sms", "signing_secret": SIGNING_SECRET}}
    configure(PROVIDERS="sms", PROVIDER_SECRET_ARN=aws.create_secret(fixed))
    make_due(database)
    deliver(1)
    assert state(database) == ("sent", None, 2)


@pytest.mark.parametrize(
    ("broken_configuration", "reason"),
    [
        (without_provider, "PROVIDERS does not name sms."),
        (with_a_broken_secret, "The signing_secret of sms is malformed."),
    ],
)
def test_the_log_says_what_is_misconfigured(
    database: Database,
    aws: Aws,
    configure: Configure,
    caplog: pytest.LogCaptureFixture,
    broken_configuration: Any,
    reason: str,
) -> None:
    accept(aws)
    configure(**{"PROVIDERS": "sms,email", "PROVIDER_SECRET_ARN": ""} | broken_configuration(aws))
    deliver(1)
    [line] = [record.__dict__ for record in caplog.records if record.levelname == "ERROR"]
    assert (line["msg"], line["provider"], line["reason"]) == ("Provider misconfigured", "sms", reason)


def test_a_retry_that_cannot_be_dispatched_is_due_for_the_relay(
    database: Database, aws: Aws, providers: ProviderSimulator
) -> None:
    ids = accept(aws, 3)
    providers.behave(Behaviour(status=503, retry_after=60))
    aws.delete_queues()
    deliver(*ids)
    due = database.rows("SELECT dispatch_at >= next_attempt_at FROM outbound_queue")
    assert due == [[True]] * 3


def test_nothing_is_claimed_while_the_secret_is_unavailable(
    database: Database, aws: Aws, providers: ProviderSimulator, configure: Configure
) -> None:
    accept(aws)
    configure(PROVIDER_SECRET_ARN="arn:aws:secretsmanager:us-east-1:000000000000:secret:gone")
    with pytest.raises(Unavailable):
        deliver(1)
    assert state(database) == ("queued", None, 0)


@pytest.mark.slow
def test_a_hanging_secrets_manager_costs_seconds_but_no_message(
    database: Database, aws: Aws, providers: ProviderSimulator, aws_at: Callable[[str], None]
) -> None:
    accept(aws)
    with serve(hang) as address:
        aws_at(f"http://{address}")
        started = time.monotonic()
        with pytest.raises(Unavailable):
            deliver(1)
        assert time.monotonic() - started < 8
    assert state(database) == ("queued", None, 0)


def test_nothing_is_claimed_while_the_database_is_unavailable(
    database: Database, aws: Aws, providers: ProviderSimulator, configure: Configure
) -> None:
    accept(aws)
    product.disconnect()
    configure(DATABASE_URL="postgresql://nobody:x@127.0.0.1:9/none?sslmode=disable")
    with pytest.raises(Unavailable):
        deliver(1)
    assert providers.requests == []
    assert state(database) == ("queued", None, 0)


@pytest.fixture
def server(tmp_path: Path, configure: Configure) -> Iterator[Postgres]:
    """A Postgres that the test can stop and start. The product is configured for it."""
    server = Postgres(tmp_path, ports.choose("127.0.0.1", 0, ""), durable=False)
    server.start()
    configure(DATABASE_URL=server.url)
    load("migrate").handler({}, Context())
    own_all()
    yield server
    product.disconnect()
    server.stop()


class Delivery(threading.Thread):
    """A delivery in a thread, which goes on while the test stops Postgres."""

    def __init__(self, ids: list[int]) -> None:
        super().__init__()
        self.seconds_left = 30.0
        self.ended_with: BaseException | None = None
        self._ids = ids
        self.start()

    def run(self) -> None:
        try:
            product_delivery.deliver(self._ids, lambda: self.seconds_left)
        except BaseException as error:  # noqa: BLE001  # shown by the test's assertion
            self.ended_with = error


def rows(server: Postgres, sql: str) -> list[list[object]]:
    database = Database(server.url)
    rows = database.rows(sql)
    database.close()
    return rows


def wait_for_claims(server: Postgres, count: int) -> None:
    sending = "SELECT count(*) FROM messages WHERE status = 'sending'"
    eventually(lambda: rows(server, sending) == [[count]])


def deliver_until_outage(server: Postgres, aws: Aws, providers: ProviderSimulator) -> Delivery:
    """Begin to deliver three messages, and stop Postgres while the provider takes them."""
    providers.behave(Behaviour(delay=1))
    delivery = Delivery(accept(aws, 3))
    wait_for_claims(server, 3)
    server.stop()
    return delivery


@pytest.mark.slow
def test_outcomes_are_recorded_when_postgres_is_back(
    server: Postgres, aws: Aws, providers: ProviderSimulator
) -> None:
    delivery = deliver_until_outage(server, aws, providers)
    eventually(lambda: len(providers.requests) == 3)
    server.start()
    delivery.join(timeout=30)
    assert not delivery.is_alive()
    assert delivery.ended_with is None
    assert rows(server, "SELECT status, attempt_count FROM messages") == [["sent", 1]] * 3
    assert rows(server, "SELECT count(*) FROM message_events") == [[3]]


@pytest.mark.slow
def test_the_batch_stays_in_the_queue_if_postgres_is_not_back_in_time(
    server: Postgres, aws: Aws, providers: ProviderSimulator
) -> None:
    delivery = deliver_until_outage(server, aws, providers)
    delivery.seconds_left = 0.9
    delivery.join(timeout=30)
    assert isinstance(delivery.ended_with, Unavailable)
    server.start()
    # Their leases run out later, and the relay makes them unknown.
    assert rows(server, "SELECT status, attempt_count FROM messages") == [["sending", 1]] * 3
