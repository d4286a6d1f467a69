"""What a request pays the network for: one round trip to Postgres, through the functions as they are."""

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

pytestmark = pytest.mark.usefixtures("providers")

SEND, WEBHOOK = "/api/messages/sms", "/api/webhooks/sms"
REPORT = {"messaging_provider_id": "p-1", "status": "delivered"}


def received(id: str, **fields: object) -> int:
    told = {**INBOUND_SMS, "messaging_provider_id": id, **fields}
    return call("POST", WEBHOOK, told, signed(told)).status


def reported() -> int:
    return call("POST", WEBHOOK, REPORT, signed(REPORT)).status


def sent(**headers: str) -> int:
    return call("POST", SEND, NEW_SMS, headers).status


def read(path: str) -> int:
    return call("GET", path).status


def some_messages() -> str:
    """The cursor of their first page."""
    for n in range(3):
        received(f"id-{n}", **{"from": f"+1804555{n:04}"})
        received(f"further-{n}")
    cursor: str = call("GET", "/api/conversations/1/messages?limit=1").json["next_cursor"]
    return quote(cursor)


Act = Callable[[], int]
REQUESTS: dict[str, Callable[[], Act]] = {
    "the first inbound of a pair": lambda: lambda: received("new"),
    "a further inbound": lambda: after(received("known"), lambda: received("new")),
    "a duplicate": lambda: after(received("known"), lambda: received("known")),
    "a report": lambda: after(messages.record_sent(messages.claim_new()), reported),
    "a report that comes early": lambda: reported,
    "a send": lambda: sent,
    "a further send": lambda: after(sent(), sent),
    "a send under a key": lambda: lambda: sent(**{"idempotency-key": "a"}),
    "a send under the same key": lambda: after(
        sent(**{"idempotency-key": "a"}), lambda: sent(**{"idempotency-key": "a"})
    ),
    "conversations": lambda: after(some_messages(), lambda: read("/api/conversations")),
    "conversations of an address": lambda: after(
        some_messages(), lambda: read(f"/api/conversations?type=sms&address={quote(api.CONTACT)}")
    ),
    "one conversation": lambda: after(some_messages(), lambda: read("/api/conversations/1")),
    "messages": lambda: after(some_messages(), lambda: read("/api/conversations/1/messages")),
    "further messages": lambda: further(some_messages()),
    "one message": lambda: after(some_messages(), lambda: read("/api/messages/1")),
    "health": lambda: lambda: read("/healthz"),
}


def further(cursor: str) -> Act:
    return lambda: read(f"/api/conversations/1/messages?limit=1&cursor={cursor}")


def after(_: object, act: Act) -> Act:
    return act


def trips(proxy: Proxy, act: Callable[[], object]) -> int:
    before = proxy.round_trips
    act()
    return proxy.round_trips - before


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("prepare", REQUESTS.values(), ids=REQUESTS)
def test_a_request_makes_one_round_trip(proxy: Proxy, prepare: Callable[[], Act]) -> None:
    act = prepare()
    answers: list[int] = []
    assert trips(proxy, lambda: answers.append(act())) == 1
    assert answers[0] in (200, 202)


def test_a_claim_of_ten_is_one_and_so_is_each_record(proxy: Proxy) -> None:
    ids = [messages.accept(messages.sms_to_new_contact())[1].id for _ in range(10)]
    claimed = messages.claim_all([])
    assert trips(proxy, lambda: claimed.extend(messages.claim_all(ids))) == 1
    assert len(claimed) == 10
    for n, one in enumerate(claimed):
        assert trips(proxy, lambda one=one, n=n: messages.record_sent(one, f"p-{n}")) == 1  # type: ignore[misc]  # of defaults


def test_an_authorizer_makes_one_and_another_to_note_a_use_once_a_minute(proxy: Proxy) -> None:
    header = {"identitySource": [f"Bearer {make_key()}"]}
    ask = partial(api.invoke, "authorizer", event("authorizer") | header)
    assert [trips(proxy, ask) for _ in range(3)] == [2, 1, 1]


def test_a_send_of_an_account_with_limits_makes_one(proxy: Proxy) -> None:
    assert (
        operate("PATCH /api/admin/accounts/1", {"sends_per_second": 100, "sends_per_day": 100}).status == 200
    )
    assert trips(proxy, sent) == 1


def test_the_stock_driver_makes_three(proxy: Proxy, configure: Configure) -> None:
    product.disconnect()
    configure(DATABASE_URL=proxy.url, ONE_ROUND_TRIP="false")
    received("known")
    assert trips(proxy, lambda: received("new")) >= 3
    assert received("known") == 200


def test_a_new_connection_costs_three_more(proxy: Proxy) -> None:
    """Greeting, and the two of a password that is not told; over TLS there are three more."""
    product.disconnect()
    assert trips(proxy, lambda: received("new")) == 4
