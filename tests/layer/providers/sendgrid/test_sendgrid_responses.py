"""What SendGrid's answers to a send mean."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from messaging import failures
from messaging.providers.provider import ProviderResult
from tests.layer.providers.sendgrid.api import ID, outbound, send
from tests.support.providers.send_contract import answer
from tests.support.tcp_server import Script, serve


def failure(script: Script) -> failures.Failure:
    with serve(script) as address, pytest.raises(failures.Failure) as raised:
        send(f"http://{address}/", outbound())
    return raised.value


@pytest.mark.parametrize(
    ("head", "id"),
    [
        (f"X-Message-Id: {ID}".encode(), ID),
        (f"x-message-id:  {ID}.recvd ".encode(), ID),
        (b"X-Message-Id: ", None),
        (b"X-Other: 1", None),
    ],
)
def test_an_accepted_mail_has_the_id_of_its_events(head: bytes, id: str | None) -> None:
    with serve(answer(202, b"", head + b"\r\n")) as address:
        assert send(f"http://{address}", outbound()) == ProviderResult(id)


def test_an_answer_other_than_202_has_an_unknown_outcome() -> None:
    """SendGrid's sandbox answers 200 and sends nothing."""
    assert isinstance(failure(answer(200, b"", b"X-Message-Id: a\r\n")), failures.OutcomeUnknown)


def errors(*descriptions: object) -> bytes:
    return json.dumps({"errors": descriptions}).encode()


WRONG = {"message": "Does not contain a valid address.", "field": "from.email", "help": "http://sendgrid.com"}


@pytest.mark.parametrize(
    ("status", "body", "kind", "reason"),
    [
        (400, errors(WRONG), failures.PermanentFailure, "from.email: Does not contain a valid address."),
        (
            400,
            errors({"message": "Duplicate [a@example.org] & <b@example.org>; c@d.", "field": None}, WRONG),
            failures.PermanentFailure,
            "Duplicate [<address>] & <<address>>; <address>; from.email: Does not contain a valid address.",
        ),
        (413, errors({"message": "Payload too large"}), failures.PermanentFailure, "Payload too large"),
        (
            401,
            errors({"message": "The provided authorization grant is invalid", "field": None}),
            failures.Misconfigured,
            "The provided authorization grant is invalid",
        ),
        (
            403,
            errors({"message": "Not verified", "field": "from"}),
            failures.SenderNotAllowed,
            "from: Not verified",
        ),
        (403, errors({"message": "No scope", "field": None}), failures.Misconfigured, "No scope"),
        (403, errors({"message": "No", "field": "from.email"}), failures.SenderNotAllowed, "from.email: No"),
        (400, errors({"message": "No", "field": "from"}), failures.PermanentFailure, "from: No"),
        (500, errors({"message": "Grüße\0 🤷"}), failures.OutcomeUnknown, "Grüße 🤷"),
        (400, errors({"message": "x" * 9000}), failures.PermanentFailure, "x" * 500),
        (400, errors({"message": 7}), failures.PermanentFailure, "The provider answered 400."),
        (400, errors({"field": "from"}), failures.PermanentFailure, "The provider answered 400."),
        (400, errors("wrong"), failures.PermanentFailure, "The provider answered 400."),
        (400, errors(), failures.PermanentFailure, "The provider answered 400."),
        (400, b'{"errors": {"a": 1}}', failures.PermanentFailure, "The provider answered 400."),
    ],
)
def test_a_failure_has_sendgrids_reason_without_addresses(
    status: int, body: bytes, kind: type[failures.Failure], reason: str
) -> None:
    failed = failure(answer(status, body))
    assert (type(failed), failed.code, failed.reason) == (kind, str(status), reason)


@pytest.mark.parametrize(
    ("reset", "retry_after", "least", "most"),
    [
        (60, None, 50, 60),
        (60, 90, 90, 90),
        (60, 5, 50, 60),
        (None, 5, 5, 5),
        (-60, None, 0, 0),
        (10_000_000_000, None, 86400, 10_000_000_000),
    ],
)
def test_the_wait_ends_when_the_rate_limit_resets(
    reset: int | None, retry_after: int | None, least: int, most: int
) -> None:
    now = int(datetime.now(UTC).timestamp())
    head = "" if reset is None else f"X-RateLimit-Reset: {now + reset}\r\n"
    head += "" if retry_after is None else f"Retry-After: {retry_after}\r\n"
    failed = failure(answer(429, errors({"message": "too many requests"}), head.encode()))
    assert isinstance(failed, failures.Throttled)
    assert failed.retry_after is not None
    assert timedelta(seconds=least) <= failed.retry_after <= timedelta(seconds=most)


@pytest.mark.parametrize("time", [b"", b"soon", b"-1", b"1.5", b"9" * 400, b"\xb2", b"1e9"])
def test_a_malformed_reset_time_is_ignored(time: bytes) -> None:
    failed = failure(answer(429, b"", b"X-RateLimit-Reset: " + time + b"\r\n"))
    assert isinstance(failed, failures.Throttled)
    assert failed.retry_after is None


@pytest.mark.parametrize("key", [None, ""])
def test_without_an_api_key_nothing_is_sent(key: str | None) -> None:
    with pytest.raises(failures.Misconfigured):
        send("http://127.0.0.1:9", outbound(), api_key=key)


def test_an_api_key_that_is_not_a_valid_header_is_a_misconfiguration() -> None:
    with pytest.raises(failures.Misconfigured):
        send("http://127.0.0.1:9", outbound(), api_key="SG.\nsecret")
