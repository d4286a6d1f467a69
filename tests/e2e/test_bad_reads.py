"""Unknown routes, and invalid filters and cursors of the reads, get the right problem, never a 500."""

from typing import Any
from urllib.parse import quote

import pytest

from local import Stack
from tests.support.http_client import call, get, post
from tests.support.stack import CUSTOMER, assert_problem

pytestmark = pytest.mark.usefixtures("nothing_is_stored")


@pytest.mark.parametrize("id", ["0", "-1", "x", "1.5", "1e3", "٣", "9" * 30, str(2**63)])
@pytest.mark.parametrize(
    "path", ["/api/conversations/{}", "/api/conversations/{}/messages", "/api/messages/{}"]
)
def test_an_id_that_is_not_a_number_is_rejected(stack: Stack, path: str, id: str) -> None:
    assert_problem(get(stack.url + path.format(quote(id))), 422)


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=x",
        "limit=",
        "limit=1e2",
        "limit=%00",
        f"limit={'9' * 30}",
        "limit=NaN",
        "address=",
        "type=fax",
        "updated_since=now",
        "updated_since=1",
        "updated_since=0001-01-01T00:00:00%2B14:00",
    ],
)
def test_an_invalid_filter_is_named(stack: Stack, query: str) -> None:
    assert_problem(get(f"{stack.url}/api/conversations?{query}"), 422, query.partition("=")[0])


@pytest.mark.parametrize("address", ["%00", "%ED%A0%80", "a%40b%40c"])
def test_any_text_is_an_address_to_look_for(stack: Stack, address: str) -> None:
    """An address that a contact wrote from can be any text."""
    answer = get(f"{stack.url}/api/conversations?address={address}")
    assert (answer.status, answer.body) == (200, {"conversations": [], "next_cursor": None})


@pytest.mark.parametrize(
    "cursor", ["x", "%00", "%ED%A0%80", "%FF", "a" * 10_000, "bnVsbA", "W10", "e30", "Ww" * 3000, "=", "-_-_"]
)
def test_an_invalid_cursor_is_rejected(stack: Stack, cursor: str) -> None:
    assert_problem(get(f"{stack.url}/api/conversations?cursor={cursor}"), 400, "cursor")


@pytest.fixture(scope="module")
def conversations(stack: Stack) -> list[dict[str, Any]]:
    """Two conversations, each with a message."""
    for number in (1, 2):
        fields = {"from": f"+1804558000{number}", "to": CUSTOMER, "type": "sms", "body": "in"}
        post(f"{stack.url}/api/webhooks/sms", fields | {"messaging_provider_id": f"cursor-{number}"})
    conversations: list[dict[str, Any]] = get(f"{stack.url}/api/conversations?limit=2").body["conversations"]
    return conversations


def test_a_cursor_of_another_list_is_rejected(stack: Stack, conversations: list[dict[str, Any]]) -> None:
    lists = [f"{stack.url}/api/conversations?limit=1"]
    ids = [conversation["id"] for conversation in conversations]
    lists += [f"{stack.url}/api/conversations/{id}/messages?limit=1" for id in ids]
    for url in lists:
        cursor = get(url).body["next_cursor"]
        assert get(f"{url}&cursor={cursor}").status == 200
        others = {*lists, f"{lists[0]}&type=sms"} - {url}
        if "messages" in url:
            others.add(f"{url}&order=desc")
        for other in others:
            assert_problem(get(f"{other}&cursor={cursor}"), 400, "cursor")


@pytest.mark.parametrize(
    "path", ["/api", "/api/nothing", "/api/conversations/1/nothing", "/lambda-url", "/%00"]
)
def test_an_unknown_path_is_not_found_whatever_the_body(stack: Stack, path: str) -> None:
    assert_problem(get(f"{stack.url}{path}"), 404)
    assert_problem(call("POST", f"{stack.url}{path}", "not JSON", {"content-type": "text/plain"}), 404)


@pytest.mark.parametrize("id", ["%00", "%ED%A0%80", "%F0%9F%92%A9"])
def test_an_id_that_is_not_text_is_not_found(stack: Stack, id: str) -> None:
    assert_problem(get(f"{stack.url}/api/messages/{id}"), 404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/api/conversations", "GET"),
        ("PUT", "/api/conversations/1/messages", "GET"),
        ("POST", "/healthz", "GET"),
        ("PATCH", "/api/messages/1", "GET"),
        ("GET", "/api/webhooks/sms", "POST"),
        ("DELETE", "/api/webhooks/email/email", "POST"),
    ],
)
def test_a_wrong_method_is_answered_with_the_allowed_ones(
    stack: Stack, method: str, path: str, allowed: str
) -> None:
    answer = call(method, f"{stack.url}{path}")
    assert_problem(answer, 405)
    assert answer.headers["allow"] == allowed


@pytest.mark.parametrize("id", [10**9, 2**63 - 1])
@pytest.mark.parametrize(
    "path", ["/api/conversations/{}", "/api/conversations/{}/messages", "/api/messages/{}"]
)
def test_an_unknown_id_is_not_found(stack: Stack, path: str, id: int) -> None:
    assert_problem(get(stack.url + path.format(id)), 404)


@pytest.mark.parametrize("provider", ["nobody", "email", "%00", "%ED%A0%80", "%2E%2E", "x" * 5000])
def test_a_provider_that_does_not_serve_the_channel_is_not_found(stack: Stack, provider: str) -> None:
    assert_problem(post(f"{stack.url}/api/webhooks/sms/{provider}", {}), 404)
