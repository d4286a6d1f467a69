"""How the provider simulator misbehaves."""

import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from urllib.request import Request as Call

import pytest

from local import Behaviour
from local.http.client import opener
from local.simulators.provider import ProviderSimulator
from tests.support.local.simulator_client import MESSAGE, call, fetch_status, send, signed

pytestmark = pytest.mark.slow


def test_a_failure_is_repeated_the_number_of_times_that_was_set(provider: ProviderSimulator) -> None:
    provider.behave(Behaviour(status=503, retry_after=9, times=2))
    assert [send(provider)[0] for _ in range(3)] == [503, 503, 200]
    assert [recorded.id is None for recorded in provider.requests] == [True, True, False]


@pytest.mark.parametrize("status", [429, 500, 502, 504, 524])
def test_a_message_can_be_accepted_and_answered_with_an_error(
    provider: ProviderSimulator, status: int
) -> None:
    provider.behave(Behaviour(status=status, accepts=True, times=1))
    assert send(provider)[0] == status
    [recorded] = provider.requests
    assert (recorded.status, recorded.id is not None) == (status, True)
    assert fetch_status(provider, "7")[0] == 200


@pytest.mark.parametrize(
    ("behaviour", "accepted"), [(Behaviour(close="before"), False), (Behaviour(close="after"), True)]
)
def test_a_connection_is_closed_before_or_after_the_message_is_accepted(
    provider: ProviderSimulator, behaviour: Behaviour, accepted: bool
) -> None:
    provider.behave(behaviour)
    with pytest.raises(ConnectionError):
        send(provider)
    [recorded] = provider.requests
    assert (recorded.status, recorded.id is not None) == (None, accepted)
    assert fetch_status(provider, "7")[0] == (200 if accepted else 404)


def test_a_connection_can_be_closed_before_the_request_is_read(provider: ProviderSimulator) -> None:
    provider.close_next_connections(1)
    with pytest.raises(OSError, match=r"reset|closed|without response|Broken pipe"):
        send(provider)
    assert provider.requests == []
    assert send(provider)[0] == 200


@pytest.mark.parametrize(
    "behaviour", [Behaviour(answer="garbage", times=1), Behaviour(answer="half", times=1)]
)
def test_a_message_is_accepted_and_the_response_is_not_http(
    provider: ProviderSimulator, behaviour: Behaviour
) -> None:
    provider.behave(behaviour)
    with pytest.raises(HTTPException):
        send(provider)
    assert [(recorded.status, recorded.id is not None) for recorded in provider.requests] == [(None, True)]
    assert send(provider)[0] == 200


def test_a_dripping_response_never_ends(provider: ProviderSimulator) -> None:
    provider.behave(Behaviour(answer="drip"))
    body = json.dumps(MESSAGE)
    with opener.open(
        Call(f"{provider.url}/sms", body.encode(), signed(body), method="POST"), timeout=10
    ) as answer:
        assert [answer.read(1) for _ in range(12)][-3:] == [b" ", b" ", b" "]


def test_a_response_can_be_delayed_and_have_another_body(provider: ProviderSimulator) -> None:
    provider.behave(Behaviour(delay=0.2, body="<garbage>"))
    started = time.monotonic()
    with pytest.raises(json.JSONDecodeError):
        send(provider)
    assert time.monotonic() - started >= 0.2


def test_a_failure_has_the_body_that_was_set(provider: ProviderSimulator) -> None:
    body = {"error": {"code": "30007", "reason": "Filtered"}}
    behaviour = {"status": 400, "body": body}
    assert call("PUT", f"{provider.url}/behaviour", json.dumps(behaviour).encode()) == (200, behaviour)
    assert send(provider) == (400, body)


def test_a_behaviour_is_set_over_http(provider: ProviderSimulator) -> None:
    behaviour = {"status": 429, "retry_after": 3, "times": 1}
    assert call("PUT", f"{provider.url}/behaviour", json.dumps(behaviour).encode()) == (200, behaviour)
    assert send(provider)[0] == 429
    assert [recorded["status"] for recorded in call("GET", f"{provider.url}/requests")[1]] == [429]
    assert call("DELETE", f"{provider.url}/requests") == (204, None)
    assert call("GET", f"{provider.url}/requests") == (200, [])


@pytest.mark.parametrize(
    ("behaviour", "status"),
    [
        (b"[", 400),
        (b"7", 400),
        (b"[7]", 422),
        (b'{"mood": "bad"}', 422),
        (b'{"times": "x"}', 422),
        (b'{"reports": ["nonsense"]}', 422),
        (b'{"reports": ["sent", "read", "failed"]}', 200),
        (b'{"times": 0}', 422),
        (b'{"share": 2}', 422),
        (b'[{}, {"close": "never"}]', 422),
    ],
)
def test_an_invalid_behaviour_is_rejected(provider: ProviderSimulator, behaviour: bytes, status: int) -> None:
    assert call("PUT", f"{provider.url}/behaviour", behaviour)[0] == status


def test_status_lookups_have_a_behaviour_of_their_own(provider: ProviderSimulator) -> None:
    provider.behave(Behaviour(status=503))
    behaviour = json.dumps({"status": 500, "times": 1}).encode()
    assert call("PUT", f"{provider.url}/sms/lookup/behaviour", behaviour)[0] == 200
    assert [fetch_status(provider, "7")[0], fetch_status(provider, "7")[0], send(provider)[0]] == [
        500,
        404,
        503,
    ]


def statuses(provider: ProviderSimulator, seed: int, count: int = 200) -> list[int]:
    """Send messages at the same time, and return the statuses of the responses."""
    shares = [{"status": 500, "share": 0.25}, {"status": 429, "share": 0.25, "delay": [0, 0.01]}]
    behaviour = json.dumps(shares).encode()
    assert call("PUT", f"{provider.url}/behaviour?seed={seed}", behaviour) == (200, shares)
    with ThreadPoolExecutor(8) as threads:
        return list(threads.map(lambda number: send(provider, reference=str(number))[0], range(count)))


def test_behaviours_get_their_shares_and_the_same_requests_get_the_same_behaviours(
    provider: ProviderSimulator,
) -> None:
    first = statuses(provider, seed=1)
    counts = Counter(first)
    assert counts.keys() == {200, 429, 500}
    assert 0.15 < counts[500] / len(first) < 0.35
    assert 0.15 < counts[429] / len(first) < 0.35
    assert statuses(provider, seed=1) == first
    assert statuses(provider, seed=2) != first


def test_a_behaviour_follows_when_the_one_before_has_applied_its_times(
    provider: ProviderSimulator,
) -> None:
    provider.behave(Behaviour(status=503, times=1), Behaviour(status=429, times=2))
    assert [send(provider)[0] for _ in range(4)] == [503, 429, 429, 200]
