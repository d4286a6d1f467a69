"""Webhooks at routes of the API and at function URLs: both accept and reject the same requests."""

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


def webhook_urls(stack: Stack, channel: str) -> list[str]:
    """Return the URLs with and without the provider's name, and function URLs with and without a path."""
    function_url = stack.function_url(FUNCTIONS[channel]).rstrip("/")
    urls = [f"{function_url}/"]
    urls += [f"{function_url}{path}" for path in PATHS]
    urls += [f"{stack.url}{path}" for path in PATHS[2:]]
    return [url.format(channel=channel) for url in urls]


def inbound(channel: str) -> dict[str, Any]:
    """Return a message that was not sent before."""
    sender, recipient, id = {
        "sms": ("+18045551234", "+12016661234", "messaging_provider_id"),
        "email": ("contact@example.org", "user@example.com", "xillio_id"),
    }[channel]
    return {"from": sender, "to": recipient, "type": channel, id: f"url-{next(_ids)}", "body": "Grüße"}


@pytest.fixture(scope="module")
def closed() -> Iterator[Stack]:
    """A stack that rejects unsigned webhooks, as a deployment does."""
    with running(relay_every=0, parameters={"AllowUnsignedWebhooks": "false"}) as stack:
        yield stack


@pytest.fixture(scope="module")
def secret(closed: Stack) -> str:
    return (closed.folder / "signing-secret").read_text()


@pytest.fixture
def nothing_is_stored_there(closed: Stack) -> Iterator[None]:
    with nothing_stored(closed):
        yield


@pytest.mark.parametrize("channel", FUNCTIONS)
def test_a_signed_webhook_is_accepted_at_every_url_and_stored_once(
    closed: Stack, secret: str, channel: str
) -> None:
    fields = inbound(channel)
    answers = [post(url, fields, signed(fields, secret)) for url in webhook_urls(closed, channel)]
    assert [answer.status for answer in answers] == [200] * len(answers)
    assert all(answer == answers[0] for answer in answers)
    assert answers[0].body["body"] == "Grüße"


@pytest.mark.usefixtures("nothing_is_stored_there")
@pytest.mark.parametrize("channel", FUNCTIONS)
@pytest.mark.parametrize("fields", [{}, {"status": "delivered", "reference": "1"}], ids=["message", "report"])
def test_an_unsigned_webhook_is_rejected_at_every_url(
    closed: Stack, channel: str, fields: dict[str, str]
) -> None:
    for url in webhook_urls(closed, channel):
        assert_problem(post(url, fields or inbound(channel)), 403)


@pytest.mark.usefixtures("nothing_is_stored_there")
@pytest.mark.parametrize("channel", FUNCTIONS)
@pytest.mark.parametrize("wrong", ["secret", "body", "late", "early", "no id", "no time"])
def test_an_invalid_signature_is_rejected_at_every_url(
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
    for url in webhook_urls(closed, channel):
        assert_problem(post(url, fields, headers), 403)


def test_the_signature_of_a_binary_body_is_verified(closed: Stack, secret: str) -> None:
    for url in webhook_urls(closed, "sms"):
        body = json.dumps(inbound("sms"), ensure_ascii=False, indent=1).encode()
        headers = {"content-type": "application/octet-stream", **signed(body, secret)}
        assert call("POST", url, body, headers).status == 200


def test_the_simulator_s_signed_reports_are_accepted(closed: Stack, contact: str) -> None:
    wait_for(closed, sent(closed, contact), "delivered")


@pytest.mark.parametrize("channel", FUNCTIONS)
def test_unsigned_webhooks_can_be_allowed_but_not_wrongly_signed_ones(stack: Stack, channel: str) -> None:
    fields = inbound(channel)
    for url in webhook_urls(stack, channel):
        assert_problem(post(url, fields, signed(fields, "whsec_bm9uZSBvZiB0aGVpcnM=")), 403)
    answers = [post(url, fields) for url in webhook_urls(stack, channel)]
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body["id"] for answer in answers}) == 1


@pytest.mark.parametrize("channel", FUNCTIONS)
def test_a_function_url_serves_only_its_methods_and_paths(stack: Stack, channel: str) -> None:
    function_url = stack.function_url(FUNCTIONS[channel])
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        answer = call(method, function_url)
        assert_problem(answer, 405)
        assert answer.headers["allow"] == "POST"
    for path in ("nobody", "a/b", "api/conversations", "healthz", f"api/webhooks/{channel}/nobody", "%00"):
        assert_problem(post(f"{function_url}{path}", inbound(channel)), 404)


def test_other_functions_have_no_url(stack: Stack) -> None:
    for name in set(stack.functions) - set(FUNCTIONS.values()):
        assert get(stack.function_url(name)) == Answer(404, {"Message": None})
