"""The gateway before a closed route: whom it asks, how often, and what it answers itself."""

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
    """The same functions behind a gateway that asks."""
    gateway = Gateway(stack.template.routes, stack.functions, lambda _: None, auth=True)
    server = Server("127.0.0.1", 0, gateway.respond)
    server.start()
    yield server.url
    server.stop()


def said() -> str:
    """A header that nobody has sent before."""
    return f"yes {uuid4()}"


def post(url: str, header: str, **more: str) -> Answer:
    headers = {"Authorization": header, "content-type": "application/json", **more}
    return ask(f"{url}/closed/7?tag=a", "POST", b'{"a": 1}', headers)


def caller(answer: Answer) -> Any:
    assert answer.status == 200, answer.body
    return answer.json["requestContext"]["authorizer"]["lambda"]


@pytest.mark.parametrize("headers", [{}, {"Authorization": ""}, {"X-Authorization": "yes"}])
def test_without_the_header_nobody_is_asked(closed: str, headers: dict[str, str]) -> None:
    answer = ask(f"{closed}/closed", headers=headers)
    assert (answer.status, answer.json) == (401, {"message": "Unauthorized"})


def test_an_authorizer_is_asked_in_payload_2_and_without_the_body(closed: str) -> None:
    header = said()
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


def test_a_yes_is_kept_for_the_header_on_every_route(closed: str) -> None:
    header, other = said(), said()
    first = caller(post(closed, header))
    assert caller(post(closed, header)) == first
    assert caller(ask(f"{closed}/closed", headers={"authorization": header})) == first
    assert caller(post(closed, other))["asked"] != first["asked"]


def test_a_no_is_kept_too(closed: str, stack: Stack) -> None:
    header = f"no {uuid4()}"
    for _ in range(2):
        answer = post(closed, header)
        assert (answer.status, answer.json) == (403, {"message": "Forbidden"})
    before = int(caller(post(closed, said()))["asked"])
    post(closed, header)
    assert int(caller(post(closed, said()))["asked"]) == before + 1


@pytest.mark.parametrize("what", ["raise", "nonsense"])
def test_an_authorizer_at_fault_is_a_500_and_asked_again(closed: str, what: str) -> None:
    before = int(caller(post(closed, said()))["asked"])
    for _ in range(2):
        answer = post(closed, what)
        assert (answer.status, answer.json) == (500, {"message": "Internal Server Error"})
    assert int(caller(post(closed, said()))["asked"]) == before + 3


def test_a_yes_without_a_context_says_nothing_of_the_caller(closed: str) -> None:
    assert caller(post(closed, "bare")) == {}


def test_an_open_route_is_told_nothing(closed: str, stack: Stack) -> None:
    for url in (closed, stack.url):
        answer = ask(f"{url}/open/to/all", headers={"Authorization": "no"})
        assert answer.status == 200
        assert answer.json["pathParameters"] == {"rest": "to/all"}
        assert "authorizer" not in answer.json["requestContext"]


def test_unless_asked_for_nobody_is_asked_and_all_is_the_operators(stack: Stack) -> None:
    for header in ("no", "raise", ""):
        assert caller(post(stack.url, header)) == OPERATOR


def test_a_request_brings_no_context_of_its_own(stack: Stack, closed: str) -> None:
    """Neither by a header nor in its body; and a function's own URL has none at all."""
    forged = {"requestContext": str(FORGED), "X-Amzn-Request-Context": str(FORGED)}
    assert caller(post(stack.url, "yes", **forged)) == OPERATOR
    assert caller(post(closed, said(), **forged)).keys() == {"asked", "question"}
    event = ask(stack.function_url("Echo"), "POST", str(FORGED).encode(), forged).json
    assert "authorizer" not in event["requestContext"]


@pytest.fixture
def doorman(stack: Stack) -> Function:
    return stack.functions["Doorman"]


def question(header: str) -> dict[str, Any]:
    http = {"method": "GET", "path": "/closed"}
    return {"headers": {"authorization": header}, "requestContext": {"http": http, "stage": "$default"}}


def test_what_was_said_is_forgotten_in_time(doorman: Function) -> None:
    authorizers, authorizer, asked = (
        Authorizers({"Doorman": doorman}),
        Authorizer("Doorman", ("Authorization",), 0.2),
        said(),
    )
    first = authorizers.caller(authorizer, question(asked))["asked"]
    eventually(lambda: authorizers.caller(authorizer, question(asked))["asked"] != first)


def test_an_authorizer_is_not_waited_for_for_ever(doorman: Function) -> None:
    authorizers = Authorizers({"Doorman": doorman}, wait_seconds=0.2)
    with pytest.raises(Rejection) as rejection:
        authorizers.caller(Authorizer("Doorman", ("Authorization",), 60), question("sleep"))
    assert rejection.value.response.status == 500


def test_what_is_left_of_a_path_matches_last() -> None:
    routes = Routes([Route("GET", "/a/{rest+}", "Rest"), Route("GET", "/a/{id}/b", "B")])
    matches = [routes.match("GET", path) for path in ("/a/1/b", "/a/1/c", "/a/1", "/a/", "/a")]
    found = [match and (match.route.function, match.variables) for match in matches]
    assert found == [("B", {"id": "1"}), ("Rest", {"rest": "1/c"}), ("Rest", {"rest": "1"}), None, None]
