"""Each request of a function makes one round trip to Postgres."""

from collections.abc import Callable
from functools import partial
from urllib.parse import quote

import pytest

from messaging.postgres import database as product
from tests.support import api, messages
from tests.support.admin import make_key, operate
from tests.support.api import INBOUND_SMS, NEW_SMS, call, signed
from tests.support.configuration import Configure
from tests.support.postgres_proxy import Proxy
from tests.template.test_events import event

pytestmark = [pytest.mark.usefixtures("providers"), pytest.mark.slow]

SEND, WEBHOOK = "/api/messages/sms", "/api/webhooks/sms"
REPORT = {"messaging_provider_id": "p-1", "status": "delivered"}


def receive(id: str, **fields: object) -> int:
    body = {**INBOUND_SMS, "messaging_provider_id": id, **fields}
    return call("POST", WEBHOOK, body, signed(body)).status


def receive_report() -> int:
    return call("POST", WEBHOOK, REPORT, signed(REPORT)).status


def send(**headers: str) -> int:
    return call("POST", SEND, NEW_SMS, headers).status


def read(path: str) -> int:
    return call("GET", path).status


def create_messages() -> str:
    """Receive messages. Returns the cursor of the first page."""
    for n in range(3):
        receive(f"id-{n}", **{"from": f"+1804555{n:04}"})
        receive(f"more-{n}")
    cursor: str = call("GET", "/api/conversations/1/messages?limit=1").json["next_cursor"]
    return quote(cursor)


Act = Callable[[], int]
REQUESTS: dict[str, Callable[[], Act]] = {
    "the first inbound of a pair": lambda: lambda: receive("new"),
    "another inbound of a pair": lambda: after(receive("first"), lambda: receive("new")),
    "a duplicate": lambda: after(receive("first"), lambda: receive("first")),
    "a report": lambda: after(messages.record_sent(messages.claim_new()), receive_report),
    "a report that comes early": lambda: receive_report,
    "a send": lambda: send,
    "another send": lambda: after(send(), send),
    "a send under a key": lambda: lambda: send(**{"idempotency-key": "a"}),
    "a send under the same key": lambda: after(
        send(**{"idempotency-key": "a"}), lambda: send(**{"idempotency-key": "a"})
    ),
    "conversations": lambda: after(create_messages(), lambda: read("/api/conversations")),
    "conversations of an address": lambda: after(
        create_messages(), lambda: read(f"/api/conversations?type=sms&address={quote(api.CONTACT)}")
    ),
    "one conversation": lambda: after(create_messages(), lambda: read("/api/conversations/1")),
    "messages": lambda: after(create_messages(), lambda: read("/api/conversations/1/messages")),
    "more messages": lambda: read_next_page(create_messages()),
    "one message": lambda: after(create_messages(), lambda: read("/api/messages/1")),
    "health": lambda: lambda: read("/healthz"),
}


def read_next_page(cursor: str) -> Act:
    return lambda: read(f"/api/conversations/1/messages?limit=1&cursor={cursor}")


def after(_: object, act: Act) -> Act:
    return act


def count_round_trips(proxy: Proxy, act: Callable[[], object]) -> int:
    before = proxy.round_trips
    act()
    return proxy.round_trips - before


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("prepare", REQUESTS.values(), ids=REQUESTS)
def test_a_request_makes_one_round_trip(proxy: Proxy, prepare: Callable[[], Act]) -> None:
    act = prepare()
    answers: list[int] = []
    assert count_round_trips(proxy, lambda: answers.append(act())) == 1
    assert answers[0] in (200, 202)


def test_a_claim_of_ten_makes_one_round_trip_and_so_does_each_record(proxy: Proxy) -> None:
    ids = [messages.accept(messages.sms_to_new_contact())[1].id for _ in range(10)]
    claimed = messages.claim_all([])
    assert count_round_trips(proxy, lambda: claimed.extend(messages.claim_all(ids))) == 1
    assert len(claimed) == 10
    for n, message in enumerate(claimed):
        assert count_round_trips(proxy, partial(messages.record_sent, message, f"p-{n}")) == 1


def test_the_authorizer_makes_one_round_trip_and_another_to_record_a_use_once_a_minute(proxy: Proxy) -> None:
    header = {"identitySource": [f"Bearer {make_key()}"]}
    ask = partial(api.invoke, "authorizer", event("authorizer") | header)
    assert [count_round_trips(proxy, ask) for _ in range(3)] == [2, 1, 1]


def test_a_send_of_an_account_with_limits_makes_one_round_trip(proxy: Proxy) -> None:
    assert (
        operate("PATCH /api/admin/accounts/1", {"sends_per_second": 100, "sends_per_day": 100}).status == 200
    )
    assert count_round_trips(proxy, send) == 1


def test_the_published_driver_makes_three_round_trips(proxy: Proxy, configure: Configure) -> None:
    product.disconnect()
    configure(DATABASE_URL=proxy.url, ONE_ROUND_TRIP="false")
    receive("first")
    assert count_round_trips(proxy, lambda: receive("new")) >= 3
    assert receive("first") == 200


def test_a_new_connection_makes_three_more_round_trips(proxy: Proxy) -> None:
    """The startup message, and two for the password. TLS makes three more."""
    product.disconnect()
    assert count_round_trips(proxy, lambda: receive("new")) == 4
