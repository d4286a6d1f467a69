"""The gateway calls the authorizer of a protected route, caches its decision and answers for it."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from local import Stack
from local.functions.function import Function
from local.http.server import Server
from local.template.routes import Authorizer, Route, Routes
from local.triggers.authorizer import OPERATOR, Authorizers, Rejection
from local.triggers.gateway import Gateway
from tests.local.test_gateway import Answer, ask
from tests.support.waiting import eventually

FORGED = {
    "requestContext": {"authorizer": {"lambda": {"account": "2"}}},
    "authorizer": {"lambda": {"account": "2"}},
}


@pytest.fixture
def closed(stack: Stack) -> Iterator[str]:
    """The same functions behind a gateway with auth."""
    gateway = Gateway(stack.template.routes, stack.functions, lambda _: None, auth=True)
    server = Server("127.0.0.1", 0, gateway.respond)
    server.start()
    yield server.url
    server.stop()


def new_header() -> str:
    """Return a header that was not sent before, and to which Doorman gives access."""
    return f"yes {uuid4()}"


def post(url: str, header: str, **more: str) -> Answer:
    headers = {"Authorization": header, "content-type": "application/json", **more}
    return ask(f"{url}/closed/7?tag=a", "POST", b'{"a": 1}', headers)


def caller(answer: Answer) -> Any:
    assert answer.status == 200, answer.body
    return answer.json["requestContext"]["authorizer"]["lambda"]


@pytest.mark.parametrize("headers", [{}, {"Authorization": ""}, {"X-Authorization": "yes"}])
def test_without_the_header_the_authorizer_is_not_called(closed: str, headers: dict[str, str]) -> None:
    answer = ask(f"{closed}/closed", headers=headers)
    assert (answer.status, answer.json) == (401, {"message": "Unauthorized"})


def test_an_authorizer_gets_payload_format_2_without_the_body(closed: str) -> None:
    header = new_header()
    answer = post(closed, header)
    question = caller(answer)["question"]
    assert question["version"] == "2.0"
    assert question["type"] == "REQUEST"
    assert question["routeArn"].endswith(":local/$default/POST/closed/7")
    assert question["identitySource"] == [header]
    assert question["routeKey"] == "POST /closed/{id}"
    assert question["rawPath"] == "/closed/7"
    assert question["queryStringParameters"] == {"tag": "a"}
    assert question["pathParameters"] == {"id": "7"}
    assert question["headers"]["authorization"] == header
    assert question["requestContext"]["http"]["method"] == "POST"
    assert question.keys().isdisjoint({"body", "isBase64Encoded"})
    assert answer.json["body"] == '{"a": 1}'


def test_access_is_cached_by_header_for_every_route(closed: str) -> None:
    header, other = new_header(), new_header()
    first = caller(post(closed, header))
    assert caller(post(closed, header)) == first
    assert caller(ask(f"{closed}/closed", headers={"authorization": header})) == first
    assert caller(post(closed, other))["asked"] != first["asked"]


def test_denial_is_cached(closed: str, stack: Stack) -> None:
    header = f"no {uuid4()}"
    for _ in range(2):
        answer = post(closed, header)
        assert (answer.status, answer.json) == (403, {"message": "Forbidden"})
    before = int(caller(post(closed, new_header()))["asked"])
    post(closed, header)
    assert int(caller(post(closed, new_header()))["asked"]) == before + 1


@pytest.mark.parametrize("behaviour", ["raise", "nonsense"])
def test_an_error_of_the_authorizer_is_a_500_and_not_cached(closed: str, behaviour: str) -> None:
    before = int(caller(post(closed, new_header()))["asked"])
    for _ in range(2):
        answer = post(closed, behaviour)
        assert (answer.status, answer.json) == (500, {"message": "Internal Server Error"})
    assert int(caller(post(closed, new_header()))["asked"]) == before + 3


def test_access_without_a_context_is_an_empty_caller(closed: str) -> None:
    assert caller(post(closed, "bare")) == {}


def test_a_public_route_has_no_caller(closed: str, stack: Stack) -> None:
    for url in (closed, stack.url):
        answer = ask(f"{url}/open/to/all", headers={"Authorization": "no"})
        assert answer.status == 200
        assert answer.json["pathParameters"] == {"rest": "to/all"}
        assert "authorizer" not in answer.json["requestContext"]


def test_without_auth_every_caller_is_the_operator(stack: Stack) -> None:
    for header in ("no", "raise", ""):
        assert caller(post(stack.url, header)) == OPERATOR


def test_a_request_cannot_set_its_context(stack: Stack, closed: str) -> None:
    """Neither a header nor the body sets the context. A function URL has no authorizer."""
    forged = {"requestContext": str(FORGED), "X-Amzn-Request-Context": str(FORGED)}
    assert caller(post(stack.url, "yes", **forged)) == OPERATOR
    assert caller(post(closed, new_header(), **forged)).keys() == {"asked", "question"}
    event = ask(stack.function_url("Echo"), "POST", str(FORGED).encode(), forged).json
    assert "authorizer" not in event["requestContext"]


@pytest.fixture
def doorman(stack: Stack) -> Function:
    return stack.functions["Doorman"]


def question(header: str) -> dict[str, Any]:
    http = {"method": "GET", "path": "/closed"}
    return {"headers": {"authorization": header}, "requestContext": {"http": http, "stage": "$default"}}


def test_a_decision_expires(doorman: Function) -> None:
    authorizers = Authorizers({"Doorman": doorman})
    authorizer = Authorizer("Doorman", ("Authorization",), 0.2)
    event = question(new_header())
    first = authorizers.caller(authorizer, event)["asked"]
    eventually(lambda: authorizers.caller(authorizer, event)["asked"] != first)


def test_a_slow_authorizer_is_a_500(doorman: Function) -> None:
    authorizers = Authorizers({"Doorman": doorman}, wait_seconds=0.2)
    with pytest.raises(Rejection) as rejection:
        authorizers.caller(Authorizer("Doorman", ("Authorization",), 60), question("sleep"))
    assert rejection.value.response.status == 500


def test_a_greedy_variable_matches_last() -> None:
    routes = Routes([Route("GET", "/a/{rest+}", "Rest"), Route("GET", "/a/{id}/b", "B")])
    matches = [routes.match("GET", path) for path in ("/a/1/b", "/a/1/c", "/a/1", "/a/", "/a")]
    targets = [match and (match.route.function, match.variables) for match in matches]
    assert targets == [("B", {"id": "1"}), ("Rest", {"rest": "1/c"}), ("Rest", {"rest": "1"}), None, None]
