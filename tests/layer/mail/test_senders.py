"""Each mail has a sender: the person in From, or the best substitute, which the message tells."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.mail import inbound as mail_inbound
from messaging.mail import message as mail_message
from messaging.models import InboundMessage
from tests.support.mails import NOW

ANN = "ann@example.org"
ENVELOPE = "bounce@example.net"
SALES = "sales@example.com"


def receive(*headers: str, envelope: str | None = ENVELOPE, to: str = SALES) -> InboundMessage:
    raw = "\r\n".join([*headers, "Subject: Order 7", "", "Please call me."]).encode()
    [message] = mail_inbound.inbound_messages(
        mail_message.parse_mail(raw), [to], NOW, envelope_sender=envelope
    )
    assert isinstance(message, InboundMessage)
    assert (message.subject, message.body) == ("Order 7", "Please call me.")
    return message


def marks(message: InboundMessage) -> dict[str, Any]:
    return {name: message.extra[name] for name in ("from", "defects") if name in message.extra}


@pytest.mark.parametrize(
    "value",
    [
        ANN,
        f"Ann <{ANN}>",
        f'"Lee, Ann" <{ANN}>',
        f"{ANN} (Ann)",
        f"=?utf-8?q?J=C3=BCrgen?= <{ANN}>",
        f"'{ANN}' <{ANN}>",
    ],
)
def test_a_mailbox_in_from_is_the_sender_without_marks(value: str) -> None:
    message = receive(f"From: {value}", "Sender: list@example.com", "Reply-To: office@example.org")
    assert (message.sender, marks(message)) == (ANN, {})


@pytest.mark.parametrize(
    "value",
    [
        f"Ann <{ANN}",
        f"<<{ANN}>>",
        f"Ann {ANN}",
        f"<mailto:{ANN}>",
        "ann\u200b@example.org",
        f"Lee, Ann <{ANN}>",
    ],
)
def test_a_malformed_mailbox_is_marked_and_shown(value: str) -> None:
    message = receive(f"From: {value}")
    assert message.sender == ANN
    assert marks(message) == {"from": value, "defects": ["sender_malformed"]}


@pytest.mark.parametrize(
    "headers",
    [
        (f"From: Ann <{ANN}>, Bob <bob@example.org>",),
        (f"From: Ann <{ANN}> Bob <bob@example.org>",),
        (f"From: Ann <{ANN}>", "From: Bob <bob@example.org>"),
        ("From: ", f"From: Ann <{ANN}>; Bob <bob@example.org>"),
        ("From: nobody;", f"From: {ANN}"),
    ],
)
def test_the_first_address_is_the_sender_and_the_others_are_shown(headers: tuple[str, ...]) -> None:
    message = receive(*headers)
    assert message.sender == ANN
    assert ANN in message.extra["from"]
    assert "bob@example.org" in message.extra["from"] or "nobody" in message.extra["from"]


UNREADABLE = [
    "",
    "From:",
    "From: <>",
    "From: MAILER-DAEMON",
    "From: Ann",
    "From: undisclosed-recipients:;",
    "From: @",
]


@pytest.mark.parametrize("header", UNREADABLE)
@pytest.mark.parametrize(
    ("others", "envelope", "sender", "defect"),
    [
        (["Sender: a@b.c", "Reply-To: d@e.f", "Return-Path: <g@h.i>"], ANN, ANN, "sender_from_envelope"),
        (["Sender: a@b.c"], f"<{ANN}>", ANN, "sender_from_envelope"),
        ([f"Sender: {ANN}", "Reply-To: d@e.f"], "", ANN, "sender_from_sender"),
        ([f"Sender: {ANN}", "Reply-To: d@e.f"], None, ANN, "sender_from_sender"),
        ([f"Reply-To: Ann <{ANN}>", "Return-Path: <g@h.i>"], "<>", ANN, "sender_from_reply_to"),
        ([f"Return-Path: <{ANN}>"], "", ANN, "sender_from_return_path"),
        ([f"Reply-To: {ANN}"], SALES, ANN, "sender_from_reply_to"),
        (["Reply-To: nobody"], SALES, SALES, "sender_from_envelope"),
        (["Return-Path: <>"], "<>", "mailer-daemon@example.com", "sender_unknown"),
        ([], None, "mailer-daemon@example.com", "sender_unknown"),
    ],
)
def test_without_an_address_in_from_the_sender_is_the_best_substitute(
    header: str, others: list[str], envelope: str | None, sender: str, defect: str
) -> None:
    headers = [header, *others] if header else others
    message = receive(*headers, envelope=envelope)
    assert (message.sender, message.extra["defects"]) == (sender, [defect])
    assert message.extra.get("from") == (header.removeprefix("From:").strip() or None)


@pytest.mark.parametrize(
    ("recipient", "sender"),
    [
        ("user@sub.example.com", "mailer-daemon@sub.example.com"),
        ("user@localhost", "mailer-daemon@localhost"),
        ("user@[192.0.2.7]", "mailer-daemon@[192.0.2.7]"),
        ("postmaster", "mailer-daemon@postmaster"),
        ("two words", "mailer-daemon@localhost"),
    ],
)
def test_a_mail_that_names_no_sender_is_from_the_mailer_daemon_of_the_recipient(
    recipient: str, sender: str
) -> None:
    assert receive(envelope=None, to=recipient).sender == sender


def test_a_sender_that_is_too_long_is_marked_and_complete_in_extra() -> None:
    message = receive(f"From: {'x' * 400}@example.org")
    assert message.sender.endswith("@too-long.invalid")
    assert message.extra["defects"] == ["sender_shortened"]
    assert message.extra["from"] == "x" * 400 + "@example.org"


# --- Groups and contact forms ------------------------------------------------------------------------

GROUP = [
    "From: 'Ann' via Support <support@example.com>",
    f"X-Original-Sender: {ANN}",
    f"X-Original-From: Ann <{ANN}>",
    "List-ID: <support.example.com>",
    "Sender: support@example.com",
]
MAILMAN = [
    "From: Ann via Talk <talk@lists.example.com>",
    f"Reply-To: Talk <talk@lists.example.com>, Ann <{ANN}>",
    "List-Post: <mailto:talk@lists.example.com>",
]


@pytest.mark.parametrize(
    ("headers", "defect"),
    [
        pytest.param(GROUP, "sender_from_x_original_sender", id="Google Groups"),
        pytest.param(
            [*GROUP[:1], *GROUP[2:4]], "sender_from_x_original_from", id="Google Groups without a sender"
        ),
        pytest.param(
            ["From: support@example.com", *GROUP[1:4]],
            "sender_from_x_original_sender",
            id="group without a name",
        ),
        pytest.param(
            ["From: 'Ann' via Support <support@example.com>", f"Reply-To: {ANN}", "X-Google-Group-Id: 7"],
            "sender_from_reply_to",
            id="group with Reply-To",
        ),
        pytest.param(MAILMAN, "sender_from_reply_to", id="Mailman"),
        pytest.param([f"From: {SALES}", f"Reply-To: Ann <{ANN}>"], "sender_from_reply_to", id="contact form"),
        pytest.param(
            [f"From: Web form <{SALES.upper()}>", f"Reply-To: {SALES}, {ANN}"],
            "sender_from_reply_to",
            id="contact form with itself in Reply-To",
        ),
        pytest.param(
            [f"From: Ann via Sales <{SALES}>", f"X-Original-Sender: {ANN}", f"Reply-To: {SALES}"],
            "sender_from_x_original_sender",
            id="group at our own address",
        ),
    ],
)
def test_the_sender_of_a_group_or_form_is_the_person_who_wrote_to_it(headers: list[str], defect: str) -> None:
    message = receive(*headers)
    assert message.sender == ANN
    assert marks(message) == {"from": headers[0].removeprefix("From: "), "defects": [defect]}


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(["From: ann@example.org", *GROUP[1:]], id="group that does not rewrite From"),
        pytest.param(
            [
                f"From: {ANN}",
                "List-Post: <mailto:talk@lists.example.com>",
                "Reply-To: talk@lists.example.com",
            ],
            id="list that does not rewrite From",
        ),
        pytest.param(
            [f"From: {ANN}", "List-Id: <ann.example.org>", "Reply-To: office@example.org"], id="newsletter"
        ),
        pytest.param([f"From: {ANN}", "Reply-To: office@example.org"], id="other Reply-To"),
        pytest.param([f"From: {ANN}", "X-Original-Sender: bob@example.org"], id="header without a list"),
        pytest.param([f"From: Ann via Paypal <{ANN}>", "Reply-To: bob@example.org"], id="via without a list"),
    ],
)
def test_any_other_sender_stays_as_it_is(headers: list[str]) -> None:
    message = receive(*headers)
    assert (message.sender, marks(message)) == (ANN, {})


@pytest.mark.parametrize(
    "headers", [[], [f"Reply-To: {SALES}"], ["Reply-To: nobody"], [f"X-Original-Sender: {SALES}"]]
)
def test_a_mail_from_our_own_address_without_another_person_stays_from_it(headers: list[str]) -> None:
    message = receive(f"From: {SALES}", *headers)
    assert (message.sender, marks(message)) == (SALES, {})


# --- Any header --------------------------------------------------------------------------------------


@given(
    st.text(st.characters(exclude_characters="\r\n"), max_size=60),
    st.text(max_size=30) | st.none(),
    st.text(max_size=30),
)
def test_any_header_and_envelope_give_a_sender(value: str, envelope: str | None, to: str) -> None:
    mail = mail_message.build_mail({"from": [value], "cc": [value], "reply-to": [value]}, "hi", None)
    for message in mail_inbound.inbound_messages(mail, [to, SALES], NOW, envelope_sender=envelope):
        assert isinstance(message, InboundMessage)
        assert message.sender
        assert message.recipient
        assert len(message.sender) <= 320
        assert len(message.provider_message_id) <= 512
