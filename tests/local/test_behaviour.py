"""How the playing provider misbehaves when it is told to."""

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


def test_it_fails_as_often_as_it_was_told(provider: ProviderSimulator) -> None:
    provider.behave(Behaviour(status=503, retry_after=9, times=2))
    assert [send(provider)[0] for _ in range(3)] == [503, 503, 200]
    assert [received.id is None for received in provider.requests] == [True, True, False]


@pytest.mark.parametrize(
    ("told", "taken"), [(Behaviour(close="before"), False), (Behaviour(close="after"), True)]
)
def test_it_hangs_up_with_the_message_taken_or_not(
    provider: ProviderSimulator, told: Behaviour, taken: bool
) -> None:
    provider.behave(told)
    with pytest.raises(ConnectionError):
        send(provider)
    [received] = provider.requests
    assert (received.status, received.id is not None) == (None, taken)
    assert fetch_status(provider, "7")[0] == (200 if taken else 404)


def test_it_hangs_up_before_it_has_read_anything(provider: ProviderSimulator) -> None:
    provider.close_next_connections(1)
    with pytest.raises(OSError, match=r"reset|closed|without response|Broken pipe"):
        send(provider)
    assert provider.requests == []
    assert send(provider)[0] == 200


@pytest.mark.parametrize("told", [Behaviour(answer="garbage", times=1), Behaviour(answer="half", times=1)])
def test_it_takes_a_message_and_answers_what_is_no_answer(
    provider: ProviderSimulator, told: Behaviour
) -> None:
    provider.behave(told)
    with pytest.raises(HTTPException):
        send(provider)
    assert [(received.status, received.id is not None) for received in provider.requests] == [(None, True)]
    assert send(provider)[0] == 200


def test_it_answers_by_drips_and_never_to_the_end(provider: ProviderSimulator) -> None:
    provider.behave(Behaviour(answer="drip"))
    body = json.dumps(MESSAGE)
    with opener.open(
        Call(f"{provider.url}/sms", body.encode(), signed(body), method="POST"), timeout=10
    ) as answer:
        assert [answer.read(1) for _ in range(12)][-3:] == [b" ", b" ", b" "]


def test_it_takes_its_time_and_answers_garbage(provider: ProviderSimulator) -> None:
    provider.behave(Behaviour(delay=0.2, body="<garbage>"))
    started = time.monotonic()
    with pytest.raises(json.JSONDecodeError):
        send(provider)
    assert time.monotonic() - started >= 0.2


def test_it_fails_with_the_words_that_it_was_given(provider: ProviderSimulator) -> None:
    words = {"error": {"code": "30007", "reason": "Filtered"}}
    told = {"status": 400, "body": words}
    assert call("PUT", f"{provider.url}/behaviour", json.dumps(told).encode()) == (200, told)
    assert send(provider) == (400, words)


def test_it_is_told_over_http_as_well(provider: ProviderSimulator) -> None:
    told = {"status": 429, "retry_after": 3, "times": 1}
    assert call("PUT", f"{provider.url}/behaviour", json.dumps(told).encode()) == (200, told)
    assert send(provider)[0] == 429
    assert [received["status"] for received in call("GET", f"{provider.url}/requests")[1]] == [429]
    assert call("DELETE", f"{provider.url}/requests") == (204, None)
    assert call("GET", f"{provider.url}/requests") == (200, [])


@pytest.mark.parametrize(
    ("told", "status"),
    [
        *((b"[", 400), (b"7", 400), (b"[7]", 422), (b'{"mood": "bad"}', 422), (b'{"times": "x"}', 422)),
        *((b'{"reports": ["nonsense"]}', 422), (b'{"reports": ["sent", "read", "failed"]}', 200)),
        *((b'{"times": 0}', 422), (b'{"share": 2}', 422), (b'[{}, {"close": "never"}]', 422)),
    ],
)
def test_it_does_not_guess_what_it_was_told(provider: ProviderSimulator, told: bytes, status: int) -> None:
    assert call("PUT", f"{provider.url}/behaviour", told)[0] == status


def test_a_look_up_misbehaves_by_itself(provider: ProviderSimulator) -> None:
    provider.behave(Behaviour(status=503))
    told = json.dumps({"status": 500, "times": 1}).encode()
    assert call("PUT", f"{provider.url}/sms/lookup/behaviour", told)[0] == 200
    assert [fetch_status(provider, "7")[0], fetch_status(provider, "7")[0], send(provider)[0]] == [
        500,
        404,
        503,
    ]


def statuses(provider: ProviderSimulator, seed: int, count: int = 200) -> list[int]:
    """Of messages that come all at once."""
    shares = [{"status": 500, "share": 0.25}, {"status": 429, "share": 0.25, "delay": [0, 0.01]}]
    told = json.dumps(shares).encode()
    assert call("PUT", f"{provider.url}/behaviour?seed={seed}", told) == (200, shares)
    with ThreadPoolExecutor(8) as threads:
        return list(threads.map(lambda number: send(provider, reference=str(number))[0], range(count)))


def test_several_behaviours_have_their_shares_and_the_same_requests_meet_the_same(
    provider: ProviderSimulator,
) -> None:
    first = statuses(provider, seed=1)
    found = Counter(first)
    assert found.keys() == {200, 429, 500}
    assert 0.15 < found[500] / len(first) < 0.35
    assert 0.15 < found[429] / len(first) < 0.35
    assert statuses(provider, seed=1) == first
    assert statuses(provider, seed=2) != first


def test_of_several_behaviours_one_follows_the_other_when_it_has_had_its_times(
    provider: ProviderSimulator,
) -> None:
    provider.behave(Behaviour(status=503, times=1), Behaviour(status=429, times=2))
    assert [send(provider)[0] for _ in range(4)] == [503, 429, 429, 200]
