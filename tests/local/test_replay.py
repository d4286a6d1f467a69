"""`python -m local replay`: every function that receives is asked, and asked again until it is done."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from local import CannotStart, Options
from local.__main__ import main
from local.commands.replay import replay
from local.http.server import Request, Response, Server, json_response
from local.services import ports

Order = tuple[str, dict[str, Any]]


@pytest.fixture
def orders() -> list[Order]:
    """What was asked of which function."""
    return []


@pytest.fixture
def answers() -> list[dict[str, Any]]:
    """To the orders in turn; one that names an error is a function's end."""
    return []


@pytest.fixture
def port(orders: list[Order], answers: list[dict[str, Any]]) -> Iterator[int]:
    def answer(request: Request) -> Response:
        orders.append((request.path.split("/")[3], json.loads(request.body)["replay"]))
        answer = answers.pop(0)
        failed = [("X-Amz-Function-Error", "Unhandled")] if "errorMessage" in answer else []
        return json_response(200, answer, failed)

    server = Server("127.0.0.1", 0, answer)
    server.start()
    yield urlsplit(server.url).port or 0
    server.stop()


def done(replayed: int, failed: int = 0, after: int | None = None, not_configured: int = 0) -> dict[str, Any]:
    return {"replayed": replayed, "failed": failed, "not_configured": not_configured, "after": after}


def test_goes_on_until_there_are_no_more(
    port: int, orders: list[Order], answers: list[dict[str, Any]]
) -> None:
    answers += [done(10, after=12), done(3), done(0)]
    said: list[str] = []
    assert replay(Options(lambda_port=port), {"unparsed": True}, said.append) == 0
    assert said == ["SmsWebhook: 13 replayed, 0 failed", "EmailWebhook: 0 replayed, 0 failed"]
    assert orders == [
        ("SmsWebhook", {"unparsed": True, "after": 0}),
        ("SmsWebhook", {"unparsed": True, "after": 12}),
        ("EmailWebhook", {"unparsed": True, "after": 0}),
    ]


def test_says_apart_what_nobody_is_configured_to_read(port: int, answers: list[dict[str, Any]]) -> None:
    answers += [done(1, not_configured=2, after=12), done(0, not_configured=1), done(0)]
    said: list[str] = []
    assert replay(Options(lambda_port=port), {"unparsed": True}, said.append) == 0
    assert said == [
        "SmsWebhook: 1 replayed, 0 failed, 3 skipped because their providers are not configured",
        "EmailWebhook: 0 replayed, 0 failed",
    ]


def test_is_a_command_that_says_by_its_end_whether_all_could_be_read(
    port: int, orders: list[Order], answers: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers += [done(1, failed=2), done(0)]
    chosen = ("--since", "2024-11-01T00:00:00Z", "--until", "2024-11-02T00:00:00Z", "--provider", "sms")
    monkeypatch.setattr("sys.argv", ["local", "replay", "--lambda-port", str(port), *chosen])
    assert main() == 1
    assert orders[0][1] == {
        "since": "2024-11-01T00:00:00Z",
        "until": "2024-11-02T00:00:00Z",
        "provider": "sms",
        "after": 0,
    }


def test_says_what_is_wrong_with_an_order(port: int, answers: list[dict[str, Any]]) -> None:
    answers.append({"errorType": "ValueError", "errorMessage": "replay: must set at least one"})
    with pytest.raises(CannotStart, match="SmsWebhook: replay: must set at least one"):
        replay(Options(lambda_port=port), {}, print)


def test_says_where_it_found_nobody(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nobody = ports.choose("127.0.0.1", 0, "")
    monkeypatch.setattr("sys.argv", ["local", "replay", "--unparsed", "--lambda-port", str(nobody)])
    assert main() == 1
    assert f"error: http://127.0.0.1:{nobody}: " in capsys.readouterr().err
