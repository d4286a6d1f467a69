import base64
import http.client
import json
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from local import Stack
from local.http.server import Server
from local.template.routes import Route, Routes
from local.triggers.gateway import Gateway
from tests.support.waiting import eventually


class Answer:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    url: str, method: str = "GET", body: bytes | None = None, headers: dict[str, str] | None = None
) -> Answer:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=20)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    connection.request(method, target, body, headers or {})
    answer = Answer(connection.getresponse())
    connection.close()
    return answer


def test_a_request_becomes_an_event_of_payload_format_2(stack: Stack) -> None:
    headers = {"X-One": "1", "Cookie": "a=1; b=2", "User-Agent": "test"}
    event = ask(f"{stack.url}/things/7?tag=a&tag=b&empty=&plus=+1", headers=headers).json
    assert event["version"] == "2.0"
    assert event["routeKey"] == "GET /things/{id}"
    assert event["rawPath"] == "/things/7"
    assert event["rawQueryString"] == "tag=a&tag=b&empty=&plus=+1"
    assert event["queryStringParameters"] == {"tag": "a,b", "empty": "", "plus": " 1"}
    assert event["pathParameters"] == {"id": "7"}
    assert event["cookies"] == ["a=1", "b=2"]
    assert event["headers"]["x-one"] == "1"
    assert "cookie" not in event["headers"]
    assert "body" not in event
    assert event["isBase64Encoded"] is False
    context = event["requestContext"]
    assert context["routeKey"] == "GET /things/{id}"
    assert context["stage"] == "$default"
    assert context["http"] == {
        "method": "GET",
        "path": "/things/7",
        "protocol": "HTTP/1.1",
        "sourceIp": "127.0.0.1",
        "userAgent": "test",
    }
    assert "authorizer" not in context
    assert {"accountId", "apiId", "domainName", "domainPrefix", "requestId", "time", "timeEpoch"} <= set(
        context
    )


def test_repeated_headers_are_joined_with_a_comma(stack: Stack) -> None:
    connection = http.client.HTTPConnection(urlsplit(stack.url).netloc)
    connection.putrequest("GET", "/things/1")
    connection.putheader("X-Two", "1")
    connection.putheader("x-two", "2")
    connection.endheaders()
    event = Answer(connection.getresponse()).json
    connection.close()
    assert event["headers"]["x-two"] == "1,2"


def test_the_http_api_decodes_the_path_and_a_function_url_does_not(stack: Stack) -> None:
    event = ask(f"{stack.url}/things/a%2Fb%20c").json
    assert event["rawPath"] == "/things/a/b c"
    assert event["pathParameters"] == {"id": "a/b c"}
    assert ask(f"{stack.function_url('Echo')}a%2Fb%20c").json["rawPath"] == "/a%2Fb%20c"


def test_a_literal_path_wins_over_a_variable(stack: Stack) -> None:
    assert ask(f"{stack.url}/things/special").json["routeKey"] == "GET /things/special"


@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        ("application/json", b'{"a": "\xc3\xa4"}', True),
        ("text/plain; charset=utf-8", b"plain", True),
        ("application/problem+json", b"{}", True),
        ("text/plain", b"\xff\xfe", False),
        ("application/x-www-form-urlencoded", b"a=1", False),
        ("image/png", b"\x00\x01", False),
        ("multipart/form-data; boundary=x", b"--x--", False),
    ],
)
def test_text_arrives_as_text_and_everything_else_in_base64(
    stack: Stack, content_type: str, body: bytes, text: bool
) -> None:
    event = ask(f"{stack.url}/things", "POST", body, {"content-type": content_type}).json
    assert event["isBase64Encoded"] is not text
    assert (event["body"].encode() if text else base64.b64decode(event["body"])) == body


def test_a_base64_result_is_sent_as_bytes(stack: Stack) -> None:
    answer = ask(f"{stack.url}/act/picture")
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, "image/png", b"\x00\x01\x02")


def test_a_result_without_a_status_is_sent_as_json(stack: Stack) -> None:
    answer = ask(f"{stack.url}/act/environment")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json["farewell"] == "goodbye"


def test_each_cookie_of_a_result_becomes_a_header(stack: Stack) -> None:
    answer = ask(f"{stack.url}/act/cookies")
    assert answer.status == 204
    assert answer.headers.get_all("set-cookie") == ["a=1", "b=2; Secure"]


@pytest.mark.parametrize("behaviour", ["raise", "exit", "nonsense", "big"])
def test_a_function_that_fails_is_a_500_from_the_api_and_a_502_from_its_url(
    stack: Stack, behaviour: str
) -> None:
    answer = ask(f"{stack.url}/act/{behaviour}")
    assert (answer.status, answer.json) == (500, {"message": "Internal Server Error"})
    answer = ask(f"{stack.function_url('Echo')}act/{behaviour}")
    assert (answer.status, answer.body) == (502, b"Internal Server Error")


def test_a_path_without_a_route_is_not_found(stack: Stack) -> None:
    answer = ask(f"{stack.url}/nothing")
    assert (answer.status, answer.json) == (404, {"message": "Not Found"})
    assert ask(f"{stack.url}/things", "DELETE").status == 404


def test_a_function_without_a_url_is_not_served(stack: Stack) -> None:
    answer = ask(stack.function_url("Tick"))
    assert (answer.status, answer.json) == (404, {"Message": None})


def test_a_function_url_has_its_own_domain_in_the_event(stack: Stack) -> None:
    event = ask(stack.function_url("Echo"), "POST", b"{}", {"content-type": "application/json"}).json
    assert event["routeKey"] == "$default"
    assert event["rawPath"] == "/"
    assert event["requestContext"]["domainName"].endswith(".lambda-url.us-east-1.on.aws")
    assert event["requestContext"]["accountId"] == "anonymous"


def test_a_body_over_ten_megabytes_is_rejected(stack: Stack) -> None:
    headers = {"content-type": "application/octet-stream"}
    answer = ask(f"{stack.url}/things", "POST", b"x" * (10 * 1024 * 1024 + 1), headers)
    assert (answer.status, answer.json) == (413, {"message": "Request Entity Too Large"})


def test_the_default_route_takes_requests_that_match_no_other() -> None:
    routes = Routes([Route("GET", "/a", "A"), Route("ANY", "/b/{id}", "B"), Route("", "", "Other")])
    matches = [
        routes.match(*request) for request in [("GET", "/a"), ("PUT", "/b/1"), ("POST", "/a"), ("GET", "/b/")]
    ]
    assert [(match.route.function, match.route.key) for match in matches if match] == [
        ("A", "GET /a"),
        ("B", "ANY /b/{id}"),
        ("Other", "$default"),
        ("Other", "$default"),
    ]


@pytest.fixture
def impatient_url(stack: Stack) -> Iterator[str]:
    gateway = Gateway(stack.template.routes, stack.functions, lambda _: None, wait_seconds=0.3)
    server = Server("127.0.0.1", 0, gateway.respond)
    server.start()
    yield server.url
    server.stop()


def test_the_api_stops_waiting_for_a_slow_function(stack: Stack, impatient_url: str) -> None:
    answer = ask(f"{impatient_url}/act/sleep")
    assert (answer.status, answer.json) == (503, {"message": "Service Unavailable"})
    # The same holds for another process, which has to start first.
    eventually(lambda: ask(f"{impatient_url}/things/1").status == 200)


def test_two_hundred_concurrent_callers_all_get_a_response(stack: Stack) -> None:
    ready = threading.Barrier(200)
    answers: list[int] = []

    def call() -> None:
        ready.wait()
        answers.append(ask(f"{stack.url}/things/1").status)

    threads = [threading.Thread(target=call) for _ in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 200
