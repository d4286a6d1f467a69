"""How a message from Twilio is read."""

from urllib.parse import parse_qsl

import pytest

from messaging.models import Channel
from messaging.problems import Invalid, Unreadable
from tests.layer.providers.twilio.webhooks import RECEIVED_AT, changed, message, payload, read

OURS, CONTACT = "+12016661234", "+18045551234"


@pytest.mark.parametrize(
    ("name", "sender", "recipient", "body"),
    [
        ("sms", CONTACT, OURS, "Is the 3 o'clock slot still free? 100% sure & ready + waiting"),
        ("international", "+4915112345678", "+4915735987654", "Grüße aus Köln\nこんにちは، مرحبا"),
        ("emoji", CONTACT, OURS, "👍🏽 👨‍👩‍👧 🇩🇪"),
        ("long", CONTACT, OURS, "0123456789 abcde" * 100),
        ("blanks", CONTACT, OURS, "  spaces in front and behind  \n"),
        ("empty", CONTACT, OURS, ""),
        ("opt_out", CONTACT, OURS, "Stop"),
        ("help", CONTACT, OURS, "HELP"),
        ("add_ons", CONTACT, OURS, "Hi"),
        ("short_code", "24273", OURS, "Your code is 000000"),
    ],
)
def test_reads_a_text(name: str, sender: str, recipient: str, body: str) -> None:
    inbound = message(payload(name))
    assert (inbound.type, inbound.attachments) == (Channel.SMS, [])
    assert (inbound.sender, inbound.recipient, inbound.body) == (sender, recipient, body)
    assert inbound.timestamp == RECEIVED_AT
    assert inbound.provider_message_id == dict(parse_qsl(payload(name).decode()))["MessageSid"]


def test_characters_that_cannot_be_stored_are_removed_from_a_text() -> None:
    assert message(payload("sms").replace(b"Body=", b"Body=a%00b")).body.startswith("abIs the 3")


@pytest.mark.parametrize(
    ("name", "body", "types"),
    [
        ("mms", "Look at this", ["image/jpeg"]),
        ("media_only", "", ["image/png"]),
        ("several_media", "Three of them", ["image/jpeg", "audio/amr", "text/vcard"]),
    ],
)
def test_media_are_read_in_their_order(name: str, body: str, types: list[str]) -> None:
    inbound = message(payload(name))
    assert (inbound.type, inbound.body) == (Channel.MMS, body)
    fields = dict(parse_qsl(payload(name).decode()))
    assert inbound.attachments == [fields[f"MediaUrl{number}"] for number in range(len(types))]
    assert [inbound.extra[f"MediaContentType{number}"] for number in range(len(types))] == types
    assert not [name for name in inbound.extra if name.startswith("MediaUrl")]


@pytest.mark.parametrize("count", ["0", "1", "99", "-1", "", "many", None])
def test_media_are_counted_by_their_fields(count: str | None) -> None:
    urls = {f"MediaUrl{number}": f"https://example.com/{number}" for number in (11, 2, 0, 10)}
    inbound = message(changed("sms", NumMedia=count, **urls))
    assert inbound.attachments == [f"https://example.com/{number}" for number in (0, 2, 10, 11)]
    assert inbound.type is Channel.MMS


def test_missing_media_are_not_invented() -> None:
    inbound = message(changed("mms", MediaUrl0=None))
    assert (inbound.type, inbound.attachments, inbound.extra["NumMedia"]) == (Channel.SMS, [], "1")


@pytest.mark.parametrize(
    ("name", "extra"),
    [
        (
            "sms",
            {"FromCity": "RICHMOND", "NumSegments": "1", "SmsStatus": "received", "ReferralNumMedia": "0"},
        ),
        ("international", {"FromCity": "", "FromCountry": "DE"}),
        ("opt_out", {"OptOutType": "STOP", "MessagingServiceSid": "MG" + "89abcdef01234567" * 2}),
        ("help", {"OptOutType": "HELP"}),
        ("add_ons", {"AddOns": '{"status":"successful","message":null,"code":null,"results":{}}'}),
        ("long", {"NumSegments": "11"}),
    ],
)
def test_the_other_fields_are_in_extra(name: str, extra: dict[str, str]) -> None:
    all_extra = message(payload(name)).extra
    assert {name: all_extra[name] for name in extra} == extra
    assert not {"MessageSid", "From", "To", "Body"} & all_extra.keys()


@pytest.mark.parametrize("name", ["whatsapp", "whatsapp_button", "rcs"])
def test_a_message_of_another_channel_is_invalid(name: str) -> None:
    with pytest.raises(Invalid) as raised:
        read(payload(name))
    assert [error["field"] for error in raised.value.errors] == ["From", "To"]


@pytest.mark.parametrize("missing", ["MessageSid", "From", "To", "Body"])
def test_the_error_names_the_missing_field(missing: str) -> None:
    with pytest.raises(Invalid) as raised:
        read(changed("sms", **{missing: None}))
    assert [error["field"] for error in raised.value.errors] == [missing]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"MessageSid": ""}, "MessageSid"),
        ({"MessageSid": "x" * 513}, "MessageSid"),
        ({"MessageSid": "SM" + "5a" * 16 + "NumMedia0"}, "MessageSid"),
        ({"MessageSid": "SM" + "5a" * 16 + "\n"}, "MessageSid"),
        ({"MessageSid": "CA" + "5a" * 16}, "MessageSid"),
        ({"From": "x" * 65}, "From"),
        ({"Body": "x" * (2**20 + 1)}, "Body"),
        ({"MediaUrl0": "ftp://example.com/"}, "attachments.0"),
        ({"MediaUrl0": "https://example.com/" + "x" * 2048}, "attachments.0"),
        ({f"MediaUrl{number}": "https://example.com/" for number in range(101)}, "attachments"),
    ],
)
def test_the_error_names_the_field_that_cannot_be_stored(fields: dict[str, str], named: str) -> None:
    with pytest.raises(Invalid) as raised:
        read(changed("sms", **fields))
    assert [error["field"] for error in raised.value.errors] == [named]


@pytest.mark.parametrize(
    "body", [b"", b'{"MessageSid": "SM1"}', b"[]", b"a", b"=", b"&&", b"MessageStatus=sent"]
)
def test_a_form_that_is_neither_message_nor_report_is_invalid(body: bytes) -> None:
    with pytest.raises(Invalid):
        read(body)


@pytest.mark.parametrize("body", [b"\xff", b"Body=%ff", b"a=&" * 1001])
def test_a_body_that_is_not_a_form_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        read(body)
