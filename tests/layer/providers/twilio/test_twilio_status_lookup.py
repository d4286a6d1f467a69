"""Status lookup at Twilio: a message counts as found only if no other can be meant."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from uuid import UUID

import pytest

from messaging.failures import Failure, OutcomeUnknown
from messaging.models import OutboundMessage
from messaging.providers.provider import ProviderResult, SupportsStatusLookup
from messaging.providers.twilio import Twilio
from tests.layer.providers.twilio.api import MESSAGES, answering
from tests.support.api import CONTACT, CUSTOMER, NEW_SMS

BEGAN = datetime(2024, 11, 1, 23, 59, 58, 700_000, tzinfo=UTC)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)  # the message's timestamp, chosen by the caller
CLAIMED = {"id": 7, "provider": "twilio", "token": UUID(int=7), "attempt": 1, "tries": 1}
MESSAGE = OutboundMessage.model_validate({**NEW_SMS, **CLAIMED, "attempted_at": BEGAN, "timestamp": LONG_AGO})
MMS = MESSAGE.model_copy(update={"type": "mms", "attachments": ["https://example.com/a.jpg"]})
SERVICE = {"messaging_service_sid": "MG1"}
OPEN, FOUND = OutcomeUnknown, ProviderResult("SM9")
Outcome = ProviderResult | type[Failure]


def listed(
    sid: str = "SM9", after: float = 1, sender: str | None = CUSTOMER, **fields: object
) -> dict[str, Any]:
    """As Twilio lists a message: times in whole seconds."""
    created = (BEGAN + timedelta(seconds=after)).replace(microsecond=0)
    common_fields = {
        "sid": sid,
        "body": "Hello",
        "num_media": "0",
        "direction": "outbound-api",
        "status": "queued",
    }
    times = {"date_created": format_datetime(created), "date_sent": None}
    return {**common_fields, **times, "from": sender, "to": CONTACT, "error_code": None, **fields}


def page(*messages: dict[str, Any], **fields: object) -> dict[str, object]:
    return {"messages": list(messages), "next_page_uri": None, "page": 0, "page_size": 250, **fields}


def fetched(
    answer: object, message: OutboundMessage = MESSAGE, status: int = 200, secret: Mapping[str, object] = {}
) -> Outcome:
    with answering(status, answer, secret=secret) as (provider, _):
        try:
            return provider.fetch_status(message)
        except Failure as failure:
            return type(failure)


def test_twilio_supports_status_lookup() -> None:
    assert isinstance(Twilio("twilio", {}), SupportsStatusLookup)


@pytest.mark.parametrize(("secret", "sender"), [({}, {"From": [CUSTOMER]}), (SERVICE, {})])
def test_a_status_lookup_lists_the_messages_to_the_contact(
    secret: dict[str, object], sender: dict[str, list[str]]
) -> None:
    with answering(200, page(), secret=secret) as (provider, requests), pytest.raises(OutcomeUnknown):
        provider.fetch_status(MESSAGE)
    [request] = requests
    assert (request.method, request.path, request.form) == ("GET", MESSAGES, {})
    assert request.query == {"To": [CONTACT], "PageSize": ["250"], **sender}
    assert request.headers["authorization"].startswith("Basic ")


@pytest.mark.parametrize("after", [-4, 0, 1, 10, 59])
def test_a_message_that_was_created_during_the_attempt_is_found(after: float) -> None:
    assert fetched(page(listed(after=after))) == FOUND


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        # Another time, another text, or a message from the contact.
        ([listed("SM1", after=-3600)], FOUND),
        ([listed("SM1", after=-60)], FOUND),
        ([listed("SM1", after=300)], FOUND),
        ([listed("SM1", body="Hello again")], FOUND),
        ([listed("SM1", direction="inbound")], FOUND),
        ([listed("SM1", sender="+12016660000")], FOUND),
        # A message that could be ours.
        ([listed("SM1")], OPEN),
        ([listed("SM1", after=-3)], OPEN),
        ([listed("SM1", after=30)], OPEN),
        ([listed("SM1", direction="outbound-reply")], OPEN),
        ([listed("SM1", num_media="1")], OPEN),
        ([listed("SM1", body="")], OPEN),
    ],
)
def test_a_message_is_found_among_others_if_no_other_matches(
    others: list[dict[str, Any]], expected: Outcome
) -> None:
    assert fetched(page(*others, listed())) == expected
    assert fetched(page(listed(), *others)) == expected


@pytest.mark.parametrize(
    "others",
    [
        [],
        [listed(after=-3600)],
        [listed(after=3600)],
        [listed(body="Something else")],
        [listed(direction="inbound")],
        [listed(sender="+12016660000")],
        # The same text shortly before or after: the clocks may differ, or it may be another message.
        [listed(after=-10)],
        [listed(after=90)],
        # Twilio may have changed the text: on a trial account, by smart encoding, or by redaction.
        [listed(body="Sent from your Twilio trial account - Hello")],
        [listed(body="\u201cHello\u201d")],
        [listed(body="")],
        [listed(body=None)],
        [listed(num_media="1")],
    ],
)
def test_a_message_that_is_not_listed_has_an_unknown_outcome(others: list[dict[str, Any]]) -> None:
    """The list lags behind. A message that is sent again too early would arrive twice."""
    assert fetched(page(*others)) is OPEN


def test_the_callers_timestamp_is_ignored() -> None:
    offset = LONG_AGO - BEGAN
    assert fetched(page(listed(after=offset.total_seconds()))) is OPEN


def test_the_number_of_media_must_match() -> None:
    assert fetched(page(listed(num_media="1")), MMS) == FOUND
    assert fetched(page(listed(num_media="0")), MMS) is OPEN


def test_a_listed_message_may_have_no_sender_yet() -> None:
    assert fetched(page(listed(sender=None)), secret=SERVICE) == FOUND
    assert fetched(page(listed(sender="+12016660000")), secret=SERVICE) is OPEN


def test_time_zones_are_compared_correctly() -> None:
    assert fetched(page(listed(date_created="Sat, 02 Nov 2024 01:59:59 +0200"))) == FOUND


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html>",
        b"{}",
        [],
        {"messages": None},
        page({}),
        page(listed(date_created=None)),
        page(listed(date_created="soon")),
        page(listed(date_created=7)),
        page(listed(date_created="Fri, 01 Nov 2024 23:59:59 -0000")),
        page(listed(sid="")),
        page(listed(num_media="some")),
        page(listed(), {**listed("SM1"), "direction": None}),
        b"[" * 100_000,
        b'{"messages": [' + b"1," * 600_000,
    ],
)
def test_an_unreadable_list_has_an_unknown_outcome(answer: object) -> None:
    assert fetched(answer) is OPEN


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 429, 500, 503])
def test_a_refused_status_lookup_raises_its_failure(status: int) -> None:
    outcome = fetched({"code": 20404, "message": "x"}, status=status)
    assert isinstance(outcome, type)
