"""How a message from Twilio is read."""

from base64 import b64encode
from urllib.parse import parse_qsl

import pytest

from messaging.models import Channel
from messaging.problems import Invalid, Unreadable
from tests.layer.providers.twilio.webhooks import RECEIVED_AT, changed, message, payload, read
from tests.support import senders

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


@pytest.mark.parametrize(
    ("count", "defects"), [("3", None), ("4", None), ("5", ["media_missing"]), ("9999", ["media_missing"])]
)
def test_fewer_media_than_their_count_are_a_defect(count: str, defects: list[str] | None) -> None:
    urls = {f"MediaUrl{number}": f"https://example.com/{number}" for number in range(4)}
    inbound = message(changed("sms", NumMedia=count, **urls))
    assert (len(inbound.attachments), inbound.extra.get("defects")) == (4, defects)


@pytest.mark.parametrize("count", ["1", "01", "10"])
def test_missing_media_are_not_invented(count: str) -> None:
    inbound = message(changed("mms", MediaUrl0=None, NumMedia=count))
    assert (inbound.type, inbound.attachments, inbound.extra["NumMedia"]) == (Channel.MMS, [], count)
    assert inbound.extra["defects"] == ["media_missing"]


@pytest.mark.parametrize("count", ["0", "", "-1", "many", "1.5", "½", "٣", "9" * 50, None])
def test_a_text_without_media_is_an_sms_whatever_their_count_is(count: str | None) -> None:
    inbound = message(changed("sms", NumMedia=count))
    assert (inbound.type, inbound.attachments) == (Channel.SMS, [])
    assert "defects" not in inbound.extra


@pytest.mark.parametrize("url", ["ftp://example.com/", "", "nowhere", "https://example.com/" + "x" * 2048])
def test_what_is_not_the_url_of_a_file_does_not_hide_the_message(url: str) -> None:
    inbound = message(changed("mms", MediaUrl1=url))
    assert (inbound.body, len(inbound.attachments)) == ("Look at this", 1)
    assert (inbound.extra["MediaUrl1"], inbound.extra["defects"]) == (url, ["media_missing"])


def test_more_media_than_a_message_can_have_do_not_hide_it() -> None:
    urls = {f"MediaUrl{number}": f"https://example.com/{number}" for number in range(101)}
    inbound = message(changed("sms", **urls))
    assert inbound.attachments == [f"https://example.com/{number}" for number in range(100)]
    assert (inbound.extra["MediaUrl100"], inbound.extra["defects"]) == (
        urls["MediaUrl100"],
        ["media_missing"],
    )


@pytest.mark.parametrize(
    ("name", "fields", "channel"),
    [
        ("sms", {"Body": None}, Channel.SMS),
        ("sms", {"Body": "", "NumMedia": None}, Channel.SMS),
        ("media_only", {"Body": None}, Channel.MMS),
        ("several_media", {"Body": None, "NumMedia": "0"}, Channel.MMS),
        ("mms", {"Body": None, "NumMedia": None, "MediaContentType0": None}, Channel.MMS),
    ],
)
def test_a_message_without_a_text_has_an_empty_body(
    name: str, fields: dict[str, str | None], channel: Channel
) -> None:
    inbound = message(changed(name, **fields))
    assert (inbound.type, inbound.body, inbound.sender) == (channel, "", CONTACT)


@pytest.mark.parametrize(
    ("sender", "stored"),
    [
        *((sender, sender) for sender in (*senders.NAMES, "info@acme", "24273")),
        *((" ACME ", "ACME"), ("a\tb", "a\u2409b")),
        *(
            ("14133881111", "+14133881111"),
            (" 14133881111", "+14133881111"),
            ("0014133881111", "+14133881111"),
        ),
        *(("+5215512345678", "+525512345678"), ("+541123456789", "+5491123456789")),
        *(("+551187654321", "+5511987654321"), ("5511987654321", "+5511987654321")),
        *(("8045551234",) * 2, ("+1804555",) * 2),
    ],
)
def test_any_sender_is_stored(sender: str, stored: str) -> None:
    inbound = message(changed("sms", From=sender, To=OURS.removeprefix("+")))
    assert (inbound.sender, inbound.recipient) == (stored, OURS)
    assert inbound.extra.get("From") == (None if sender == stored else sender)


@pytest.mark.parametrize("length", [65, 400, 100_000])
def test_a_long_sender_does_not_hide_the_message(length: int) -> None:
    inbound = message(changed("sms", From="x" * length))
    assert inbound.sender.startswith("x" * 65)
    assert len(inbound.sender) <= 320
    assert len(inbound.extra.get("From", "")) == (min(length, 5000) if length > 320 else 0)


LONG_TEXT = "Please vote no on any bill that does not contain protections. “Thank you”, Ann 👋"


@pytest.mark.parametrize("wrap", ["{}", "{}\r", "{}\n"])
def test_a_text_that_twilio_sends_in_base64_is_decoded(wrap: str) -> None:
    sent = wrap.format(b64encode(LONG_TEXT.encode()).decode())
    inbound = message(changed("sms", Body=sent))
    assert (inbound.body, inbound.extra["Body"]) == (LONG_TEXT, sent)
    assert inbound.extra["defects"] == ["text_in_base64"]


@pytest.mark.parametrize("text", ["SGVsbG8gd29ybGQ=", "AbCdEfGh01" * 10, LONG_TEXT])
def test_a_text_that_only_resembles_base64_is_not_changed(text: str) -> None:
    inbound = message(changed("sms", Body=text))
    assert inbound.body == text
    assert "defects" not in inbound.extra


@pytest.mark.parametrize(
    ("body", "read"), [(b"caf%E9", "café"), (b"caf\xe9", "café"), (b"50%25%20%", "50% %"), (b"%80", "€")]
)
def test_a_text_that_is_not_utf_8_is_read(body: bytes, read: str) -> None:
    assert message(changed("sms", Body=None) + b"&Body=" + body).body == read


@pytest.mark.parametrize("missing", ["MessageSid", "SmsSid", "SmsMessageSid"])
def test_any_of_the_ids_names_the_message(missing: str) -> None:
    fields = {"MessageSid": "SM" + "5a" * 16, "SmsSid": "SM" + "5a" * 16, "SmsMessageSid": "SM" + "5a" * 16}
    inbound = message(changed("sms", **{**fields, missing: None}))
    assert inbound.provider_message_id == "SM" + "5a" * 16


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


@pytest.mark.parametrize("missing", ["MessageSid", "From", "To"])
def test_the_error_names_the_missing_field(missing: str) -> None:
    with pytest.raises(Invalid) as raised:
        read(changed("sms", **{missing: None}, SmsSid=None, SmsMessageSid=None))
    assert [error["field"] for error in raised.value.errors] == [missing]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"MessageSid": ""}, "MessageSid"),
        ({"MessageSid": "x" * 513}, "MessageSid"),
        ({"MessageSid": "SM" + "5a" * 16 + "NumMedia0"}, "MessageSid"),
        ({"MessageSid": "SM" + "5a" * 16 + "\n"}, "MessageSid"),
        ({"MessageSid": "CA" + "5a" * 16}, "MessageSid"),
        ({"From": " "}, "From"),
        ({"Body": "x" * (2**20 + 1)}, "Body"),
    ],
)
def test_the_error_names_the_field_that_cannot_be_stored(fields: dict[str, str], named: str) -> None:
    with pytest.raises(Invalid) as raised:
        read(changed("sms", **fields))
    assert [error["field"] for error in raised.value.errors] == [named]


@pytest.mark.parametrize(
    "body", [b"", b'{"MessageSid": "SM1"}', b"[]", b"a", b"=", b"&&", b"SmsStatus=received", b"\xff"]
)
def test_a_form_that_is_neither_message_nor_report_is_invalid(body: bytes) -> None:
    with pytest.raises(Invalid):
        read(body)


def test_a_form_with_too_many_fields_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        read(b"a=&" * 10_001)
