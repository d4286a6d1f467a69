"""What no route, filter or cursor of the reads is: the right problem, never a fault of ours."""

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
def test_an_id_that_is_no_number_is_refused(stack: Stack, path: str, id: str) -> None:
    assert_problem(get(stack.url + path.format(quote(id))), 422)


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=201", "limit=x", "limit=", "limit=1e2", "limit=%00", f"limit={'9' * 30}"),
        *("limit=NaN", "address=%00", "address=%ED%A0%80", "address=", "address=a%40b%40c", "type=fax"),
        *("updated_since=now", "updated_since=1", "updated_since=0001-01-01T00:00:00%2B14:00"),
    ],
)
def test_a_filter_that_cannot_be_read_is_refused_by_its_name(stack: Stack, query: str) -> None:
    assert_problem(get(f"{stack.url}/api/conversations?{query}"), 422, query.partition("=")[0])


@pytest.mark.parametrize(
    "cursor", ["x", "%00", "%ED%A0%80", "%FF", "a" * 10_000, "bnVsbA", "W10", "e30", "Ww" * 3000, "=", "-_-_"]
)
def test_a_cursor_that_is_none_cannot_be_read(stack: Stack, cursor: str) -> None:
    assert_problem(get(f"{stack.url}/api/conversations?cursor={cursor}"), 400, "cursor")


@pytest.fixture(scope="module")
def conversations(stack: Stack) -> list[dict[str, Any]]:
    """Two, each with a message."""
    for number in (1, 2):
        fields = {"from": f"+1804558000{number}", "to": CUSTOMER, "type": "sms", "body": "in"}
        post(f"{stack.url}/api/webhooks/sms", fields | {"messaging_provider_id": f"cursor-{number}"})
    found: list[dict[str, Any]] = get(f"{stack.url}/api/conversations?limit=2").body["conversations"]
    return found


def test_a_cursor_of_another_list_cannot_be_read(stack: Stack, conversations: list[dict[str, Any]]) -> None:
    all_of_them = f"{stack.url}/api/conversations?limit=1"
    first, second = (f"{stack.url}/api/conversations/{one['id']}/messages?limit=1" for one in conversations)
    cursors = {url: get(url).body["next_cursor"] for url in (all_of_them, first, second)}
    for giver, cursor in cursors.items():
        assert get(f"{giver}&cursor={cursor}").status == 200
        for taker in {*cursors, f"{giver}&order=desc", f"{all_of_them}&type=sms"} - {giver}:
            if "messages" in taker or "order" not in taker:
                assert_problem(get(f"{taker}&cursor={cursor}"), 400, "cursor")


@pytest.mark.parametrize(
    "path", ["/", "/api", "/api/nothing", "/api/conversations/1/nothing", "/lambda-url", "//", "/%00"]
)
def test_a_path_that_leads_nowhere_is_not_found_whatever_is_sent_to_it(stack: Stack, path: str) -> None:
    assert_problem(get(f"{stack.url}{path}"), 404)
    assert_problem(call("POST", f"{stack.url}{path}", "not JSON", {"content-type": "text/plain"}), 404)


@pytest.mark.parametrize("id", ["%00", "%ED%A0%80", "%F0%9F%92%A9"])
def test_an_id_that_cannot_even_be_text_is_not_found(stack: Stack, id: str) -> None:
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
def test_a_method_that_a_path_does_not_know_is_told_those_that_it_knows(
    stack: Stack, method: str, path: str, allowed: str
) -> None:
    answer = call(method, f"{stack.url}{path}")
    assert_problem(answer, 405)
    assert answer.headers["allow"] == allowed


@pytest.mark.parametrize("id", [10**9, 2**63 - 1])
@pytest.mark.parametrize(
    "path", ["/api/conversations/{}", "/api/conversations/{}/messages", "/api/messages/{}"]
)
def test_what_is_not_there_is_not_found(stack: Stack, path: str, id: int) -> None:
    assert_problem(get(stack.url + path.format(id)), 404)


@pytest.mark.parametrize("provider", ["nobody", "email", "%00", "%ED%A0%80", "%2E%2E", "x" * 5000])
def test_a_provider_that_does_not_serve_the_channel_is_not_found(stack: Stack, provider: str) -> None:
    assert_problem(post(f"{stack.url}/api/webhooks/sms/{provider}", {}), 404)
