"""What Twilio is sent, and the failures that its answers become."""

from base64 import b64encode
from datetime import timedelta
from uuid import UUID

import pytest

from messaging import failures
from messaging.models import OutboundMessage
from messaging.problems import Invalid
from messaging.providers.provider import ProviderResult
from messaging.providers.twilio import Twilio
from tests.layer.providers.twilio.api import ACCOUNT, MESSAGES, answering
from tests.support.api import NEW_SMS
from tests.support.configuration import Configure

CREATED = {"sid": "SM9", "status": "queued", "error_code": None, "date_sent": None}
SID = "MG" + "89abcdef01234567" * 2
IMAGES = ["https://example.com/a.jpg?x=1&y=%20", "https://example.com/b.png"]
CLAIMED = {"id": 7, "provider": "twilio-eu", "token": UUID(int=7), "attempt": 1, "tries": 1}


def outbound(**fields: object) -> OutboundMessage:
    return OutboundMessage.model_validate({**NEW_SMS, **CLAIMED, **fields})


@pytest.mark.parametrize(
    ("fields", "secret", "expected"),
    [
        ({}, {}, {"Body": ["Hello"]}),
        ({"body": "é👍 &=+\n"}, {}, {"Body": ["é👍 &=+\n"]}),
        ({"type": "mms", "attachments": IMAGES}, {}, {"Body": ["Hello"], "MediaUrl": IMAGES}),
        ({"type": "mms", "body": "", "attachments": IMAGES[:1]}, {}, {"MediaUrl": IMAGES[:1]}),
        ({}, {"messaging_service_sid": SID}, {"Body": ["Hello"], "MessagingServiceSid": [SID]}),
        ({}, {"validity_period": 600}, {"Body": ["Hello"], "ValidityPeriod": ["600"]}),
        ({}, {"validity_period": None, "messaging_service_sid": ""}, {"Body": ["Hello"]}),
    ],
)
def test_a_message_is_sent_as_a_form(
    fields: dict[str, object], secret: dict[str, object], expected: dict[str, list[str]]
) -> None:
    with answering(201, CREATED, secret=secret) as (provider, requests):
        assert provider.send(outbound(**fields)) == ProviderResult("SM9")
    [request] = requests
    assert (request.method, request.path) == ("POST", MESSAGES)
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.form == {"To": ["+18045551234"], "From": ["+12016661234"], **expected}


@pytest.mark.parametrize(
    ("secret", "credentials"),
    [
        ({}, f"{ACCOUNT}:token"),
        ({"auth_token": ["first", "second"]}, f"{ACCOUNT}:first"),
        ({"api_key_sid": "SK1", "api_key_secret": "é:s"}, "SK1:é:s"),
        ({"api_key_sid": "SK1", "api_key_secret": "s", "auth_token": None}, "SK1:s"),
    ],
)
def test_requests_have_basic_authentication(secret: dict[str, object], credentials: str) -> None:
    with answering(201, CREATED, secret=secret) as (provider, requests):
        provider.send(outbound())
    assert requests[0].headers["authorization"] == f"Basic {b64encode(credentials.encode()).decode()}"
    assert requests[0].path == MESSAGES


@pytest.mark.parametrize(
    ("public_url", "callback"),
    [
        (
            "https://api.example.com",
            ["https://api.example.com/api/webhooks/sms/twilio-eu?reference=7#rc=5&rp=all"],
        ),
        (
            "https://api.example.com/",
            ["https://api.example.com/api/webhooks/sms/twilio-eu?reference=7#rc=5&rp=all"],
        ),
        ("", None),
    ],
)
def test_the_status_callback_has_our_id(
    public_url: str, callback: list[str] | None, configure: Configure
) -> None:
    configure(PUBLIC_URL=public_url)
    with answering(201, CREATED) as (provider, requests):
        provider.send(outbound())
    assert requests[0].form.get("StatusCallback") == callback


@pytest.mark.parametrize(
    "secret",
    [
        {},
        {"account_sid": "AC1"},
        {"auth_token": "token"},
        {"account_sid": "AC1", "auth_token": []},
        {"account_sid": "AC1", "auth_token": [""]},
        {"api_key_sid": "SK1", "api_key_secret": "s"},
        {"account_sid": "", "auth_token": "token"},
    ],
)
def test_without_credentials_nothing_is_sent(secret: dict[str, object]) -> None:
    provider = Twilio("twilio", secret)
    for ask in (provider.send, provider.fetch_status):
        with pytest.raises(failures.Misconfigured) as raised:
            ask(outbound())
        assert raised.value.code == "not_configured"


def test_the_default_api_url_is_twilios() -> None:
    url, _ = Twilio("twilio", {"account_sid": "AC1", "auth_token": "token"})._messages_resource()  # noqa: SLF001
    assert url == "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages.json"


def refused(status: int, answer: object, head: str = "") -> failures.Failure:
    with answering(status, answer, head) as (provider, _), pytest.raises(failures.Failure) as raised:
        provider.send(outbound())
    return raised.value


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, 21610, failures.OptedOut),
        (403, 21610, failures.OptedOut),
        *(
            (status, code, failures.Throttled)
            for status, code in ((429, 20429), (400, 14107), (400, 63018), (400, 21611))
        ),
        *((400, code, failures.Throttled) for code in (30001, 30022)),
        *((503, code, failures.TemporaryFailure) for code in (20500, 20503)),
        *((401, code, failures.Misconfigured) for code in (20003, 20005, 20006, 20008)),
        *((404, code, failures.Misconfigured) for code in (20404, 21701, 21705, 99999)),
        *((400, code, failures.Misconfigured) for code in (10001, 21609, 21703)),
        *(
            (400, code, failures.PermanentFailure)
            for code in (21211, 21212, 21408, 21608, 21612, 21614, 21617)
        ),
        *((400, code, failures.SenderNotAllowed) for code in (21601, 21606, 21659, 21660, 21661)),
        *((403, code, failures.PermanentFailure) for code in (21211, 21408, 21608, 21614)),
        *((400, code, failures.PermanentFailure) for code in (30004, 30005, 30006, 30007, 30034, 99999)),
        (401, 99999, failures.Misconfigured),
        (403, 99999, failures.Misconfigured),
        (429, 99999, failures.Throttled),
        (500, 99999, failures.OutcomeUnknown),
    ],
)
def test_the_error_code_decides_before_the_http_status(
    status: int, code: int, kind: type[failures.Failure]
) -> None:
    failure = refused(status, {"code": code, "message": "Why not", "more_info": "x", "status": status})
    assert (type(failure), failure.code, failure.reason) == (kind, str(code), "Why not")


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"code": None, "message": "x"},
        {"code": "x"},
        {"code": 0},
        {"code": -1},
        {"code": 1_000_000},
        {"code": 21610.5},
        {"code": [21610]},
        {"code": 21610, "message": 7},
        {"code": 21610, "message": "a\0"},
        [21610],
        21610,
        b"<html>21610",
        b"",
    ],
)
def test_without_an_error_code_the_http_status_decides(answer: object) -> None:
    failure = refused(400, answer)
    assert (type(failure), failure.code, failure.reason) == (
        failures.PermanentFailure,
        "400",
        "The provider answered 400.",
    )


@pytest.mark.parametrize(
    ("description", "reason"),
    [
        (
            "The 'To' number +18045551234 is not a valid phone number.",
            "The 'To' number … is not a valid phone number.",
        ),
        ("(804) 555-1234 or 0049.151.123-456", "(… or …"),
        ("From 24273 to 18045551234", "From 24273 to …"),
        ("Invalid media URL(s): https://example.com/a.jpg?signature=secret", "Invalid media URL(s): …"),
        ("x" * 5000, "x" * 1000),
        ("", "The provider answered 400."),
    ],
)
def test_the_reason_is_bounded_and_holds_no_phone_number(description: str, reason: str) -> None:
    assert refused(400, {"code": 21211, "message": description}).reason == reason


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (429, 20429, failures.Throttled),
        (503, 20503, failures.TemporaryFailure),
        *(
            (status, 30022, failures.Throttled) for status in (400, 401, 503)
        ),  # the code decides, not the status
        (400, 21703, failures.Misconfigured),
    ],
)
def test_retry_after_is_in_the_throttled_failure(
    status: int, code: int, kind: type[failures.TemporaryFailure]
) -> None:
    failure = refused(status, {"code": code, "message": "Too many requests"}, "Retry-After: 7\r\n")
    assert type(failure) is kind
    assert failure.retry_after == timedelta(seconds=7)


@pytest.mark.parametrize("sid", [None, "", 7, ["SM9"], "a\0", "x" * 513])
def test_an_answer_without_a_sid_has_an_unknown_outcome(sid: object) -> None:
    failure = refused(201, {"sid": sid, "status": "queued"})
    assert (type(failure), failure.code) == (failures.OutcomeUnknown, "unreadable_answer")


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"body": "x" * 1601}, "body"),
        ({"type": "mms", "attachments": ["https://example.com/"] * 11}, "attachments"),
        ({"cc": ["a@example.com"]}, "cc"),
    ],
)
def test_the_error_names_the_field_beyond_the_limits(fields: dict[str, object], named: str) -> None:
    Twilio.limits.check(
        outbound(body="x" * 1600, type="mms", attachments=["https://example.com/"] * 10), "twilio"
    )
    with pytest.raises(Invalid) as raised:
        Twilio.limits.check(outbound(**fields), "twilio")
    assert [error["field"] for error in raised.value.errors] == [named]
