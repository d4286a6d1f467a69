"""`python -m local replay` invokes every webhook function until it has replayed everything."""

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

Invocation = tuple[str, dict[str, Any]]


@pytest.fixture
def invocations() -> list[Invocation]:
    """The invoked functions, each with the filters of the replay."""
    return []


@pytest.fixture
def results() -> list[dict[str, Any]]:
    """The results of the invocations, in their order. A result with `errorMessage` is an error."""
    return []


@pytest.fixture
def port(invocations: list[Invocation], results: list[dict[str, Any]]) -> Iterator[int]:
    def respond(request: Request) -> Response:
        invocations.append((request.path.split("/")[3], json.loads(request.body)["replay"]))
        result = results.pop(0)
        headers = [("X-Amz-Function-Error", "Unhandled")] if "errorMessage" in result else []
        return json_response(200, result, headers)

    server = Server("127.0.0.1", 0, respond)
    server.start()
    yield urlsplit(server.url).port or 0
    server.stop()


def counts(
    replayed: int, failed: int = 0, after: int | None = None, not_configured: int = 0
) -> dict[str, Any]:
    return {"replayed": replayed, "failed": failed, "not_configured": not_configured, "after": after}


def test_replay_invokes_until_everything_is_replayed(
    port: int, invocations: list[Invocation], results: list[dict[str, Any]]
) -> None:
    results += [counts(10, after=12), counts(3), counts(0)]
    lines: list[str] = []
    assert replay(Options(lambda_port=port), {"unparsed": True}, lines.append) == 0
    assert lines == ["SmsWebhook: 13 replayed, 0 failed", "EmailWebhook: 0 replayed, 0 failed"]
    assert invocations == [
        ("SmsWebhook", {"unparsed": True, "after": 0}),
        ("SmsWebhook", {"unparsed": True, "after": 12}),
        ("EmailWebhook", {"unparsed": True, "after": 0}),
    ]


def test_requests_of_providers_that_are_not_configured_are_counted_separately(
    port: int, results: list[dict[str, Any]]
) -> None:
    results += [counts(1, not_configured=2, after=12), counts(0, not_configured=1), counts(0)]
    lines: list[str] = []
    assert replay(Options(lambda_port=port), {"unparsed": True}, lines.append) == 0
    assert lines == [
        "SmsWebhook: 1 replayed, 0 failed, 3 skipped because their providers are not configured",
        "EmailWebhook: 0 replayed, 0 failed",
    ]


def test_the_replay_command_passes_its_filters_and_fails_if_a_request_failed(
    port: int, invocations: list[Invocation], results: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    results += [counts(1, failed=2), counts(0)]
    filters = ("--since", "2024-11-01T00:00:00Z", "--until", "2024-11-02T00:00:00Z", "--provider", "sms")
    monkeypatch.setattr("sys.argv", ["local", "replay", "--lambda-port", str(port), *filters])
    assert main() == 1
    assert invocations[0][1] == {
        "since": "2024-11-01T00:00:00Z",
        "until": "2024-11-02T00:00:00Z",
        "provider": "sms",
        "after": 0,
    }


def test_an_error_of_the_function_is_shown(port: int, results: list[dict[str, Any]]) -> None:
    results.append({"errorType": "ValueError", "errorMessage": "replay: must set at least one"})
    with pytest.raises(CannotStart, match="SmsWebhook: replay: must set at least one"):
        replay(Options(lambda_port=port), {}, print)


def test_the_replay_command_names_the_address_that_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    unused_port = ports.choose("127.0.0.1", 0, "")
    monkeypatch.setattr("sys.argv", ["local", "replay", "--unparsed", "--lambda-port", str(unused_port)])
    assert main() == 1
    assert f"error: http://127.0.0.1:{unused_port}: " in capsys.readouterr().err
