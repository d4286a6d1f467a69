"""The webhooks' doors: routes of the API and the functions' own URLs, alike in whom they let in."""

import json
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from local import Stack, running
from tests.support.api import signed
from tests.support.http_client import Answer, call, get, post
from tests.support.outbound import sent, wait_for
from tests.support.stack import assert_problem, nothing_stored

FUNCTIONS = {"sms": "SmsWebhook", "email": "EmailWebhook"}
PATHS = ["", "/{channel}", "/api/webhooks/{channel}", "/api/webhooks/{channel}/{channel}"]

_ids = count()


def doors(stack: Stack, channel: str) -> list[str]:
    """With the provider's name or without; a function's own URL also without the prefix."""
    own = stack.function_url(FUNCTIONS[channel]).rstrip("/")
    urls = [f"{own}{path}" for path in PATHS] + [f"{own}/"] + [f"{stack.url}{path}" for path in PATHS[2:]]
    return [url.format(channel=channel) for url in urls]


def inbound(channel: str) -> dict[str, Any]:
    """A message that nobody has sent yet."""
    sender, recipient, id = {
        "sms": ("+18045551234", "+12016661234", "messaging_provider_id"),
        "email": ("contact@example.org", "user@example.com", "xillio_id"),
    }[channel]
    return {"from": sender, "to": recipient, "type": channel, id: f"url-{next(_ids)}", "body": "Grüße"}


@pytest.fixture(scope="module")
def closed() -> Iterator[Stack]:
    """As it is deployed: what nobody signed is not let in."""
    with running(relay_every=0, parameters={"AllowUnsignedWebhooks": "false"}) as stack:
        yield stack


@pytest.fixture(scope="module")
def secret(closed: Stack) -> str:
    return (closed.folder / "signing-secret").read_text()


@pytest.fixture
def kept_nothing(closed: Stack) -> Iterator[None]:
    with nothing_stored(closed):
        yield


@pytest.mark.parametrize("channel", FUNCTIONS)
def test_what_is_signed_is_let_in_by_every_door_and_kept_once(
    closed: Stack, secret: str, channel: str
) -> None:
    fields = inbound(channel)
    answers = [post(url, fields, signed(fields, secret)) for url in doors(closed, channel)]
    assert [answer.status for answer in answers] == [200] * len(answers)
    assert all(answer == answers[0] for answer in answers)
    assert answers[0].body["body"] == "Grüße"


@pytest.mark.usefixtures("kept_nothing")
@pytest.mark.parametrize("channel", FUNCTIONS)
@pytest.mark.parametrize("fields", [{}, {"status": "delivered", "reference": "1"}], ids=["message", "report"])
def test_what_nobody_signed_is_forbidden_at_every_door(
    closed: Stack, channel: str, fields: dict[str, str]
) -> None:
    for url in doors(closed, channel):
        assert_problem(post(url, fields or inbound(channel)), 403)


@pytest.mark.usefixtures("kept_nothing")
@pytest.mark.parametrize("channel", FUNCTIONS)
@pytest.mark.parametrize("wrong", ["secret", "body", "late", "early", "no id", "no time"])
def test_a_signature_that_does_not_hold_is_forbidden_at_every_door(
    closed: Stack, secret: str, channel: str, wrong: str
) -> None:
    fields = inbound(channel)
    ages = {"late": timedelta(minutes=6), "early": timedelta(minutes=-6)}
    headers = signed(
        inbound(channel) if wrong == "body" else fields,
        "whsec_bm9uZSBvZiB0aGVpcnM=" if wrong == "secret" else secret,
        ages.get(wrong, timedelta()),
    )
    headers.pop({"no id": "webhook-id", "no time": "webhook-timestamp"}.get(wrong, ""), None)
    for url in doors(closed, channel):
        assert_problem(post(url, fields, headers), 403)


def test_a_body_that_came_as_bytes_is_verified_as_it_was_signed(closed: Stack, secret: str) -> None:
    for url in doors(closed, "sms"):
        body = json.dumps(inbound("sms"), ensure_ascii=False, indent=1).encode()
        headers = {"content-type": "application/octet-stream", **signed(body, secret)}
        assert call("POST", url, body, headers).status == 200


def test_the_provider_s_reports_are_signed_and_let_in(closed: Stack, contact: str) -> None:
    wait_for(closed, sent(closed, contact), "delivered")


@pytest.mark.parametrize("channel", FUNCTIONS)
def test_where_it_is_allowed_unsigned_is_let_in_and_wrongly_signed_is_not(stack: Stack, channel: str) -> None:
    fields = inbound(channel)
    for url in doors(stack, channel):
        assert_problem(post(url, fields, signed(fields, "whsec_bm9uZSBvZiB0aGVpcnM=")), 403)
    answers = [post(url, fields) for url in doors(stack, channel)]
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body["id"] for answer in answers}) == 1


@pytest.mark.parametrize("channel", FUNCTIONS)
def test_a_function_s_own_url_knows_its_methods_and_paths(stack: Stack, channel: str) -> None:
    own = stack.function_url(FUNCTIONS[channel])
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        answer = call(method, own)
        assert_problem(answer, 405)
        assert answer.headers["allow"] == "POST"
    for path in ("nobody", "a/b", "api/conversations", "healthz", f"api/webhooks/{channel}/nobody", "%00"):
        assert_problem(post(f"{own}{path}", inbound(channel)), 404)


def test_a_function_s_own_url_is_no_way_to_another_function(stack: Stack) -> None:
    for name in set(stack.functions) - set(FUNCTIONS.values()):
        assert get(stack.function_url(name)) == Answer(404, {"Message": None})
