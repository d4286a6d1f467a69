"""The names beside email addresses: in their own fields, checked in requests, and complete if received."""

from typing import Any

import pytest
from pydantic import ValidationError

from messaging.models import NewEmail
from messaging.names import MAX_NAME, MAX_NAMES, storable_names
from tests.support.messages import email

ADDRESS = "ann@example.org"
FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        pytest.param("Ann <ann@example.org>", "Ann", id="a word"),
        pytest.param(
            "Ann B. Lee<ann@example.org>", "Ann B. Lee", id="several words without a blank before <"
        ),
        pytest.param('"Ann" <ann@example.org>', "Ann", id="in quotes"),
        pytest.param('"Lee, Ann" <ann@example.org>', "Lee, Ann", id="a comma in quotes"),
        pytest.param(r'"Ann \"Al\" Lee" <ann@example.org>', 'Ann "Al" Lee', id="escaped quotes"),
        pytest.param(r'"back\\slash" <ann@example.org>', "back\\slash", id="an escaped backslash"),
        pytest.param('Ann "Al" Lee <ann@example.org>', 'Ann "Al" Lee', id="quotes in the middle"),
        pytest.param('"<ann>; @ (a)" <ann@example.org>', "<ann>; @ (a)", id="special characters in quotes"),
        pytest.param("O'Neill <ann@example.org>", "O'Neill", id="an apostrophe"),
        pytest.param("J\u00fcrgen <ann@example.org>", "J\u00fcrgen", id="an umlaut"),
        pytest.param("\u5c71\u7530 <ann@example.org>", "\u5c71\u7530", id="Japanese"),
        pytest.param("\u05d0\u05e0\u05d9 <ann@example.org>", "\u05d0\u05e0\u05d9", id="Hebrew"),
        pytest.param(f"{FAMILY} <ann@example.org>", FAMILY, id="an emoji of several characters"),
        pytest.param("=?utf-8?q?J=C3=BCrgen?= <ann@example.org>", "J\u00fcrgen", id="an encoded word in Q"),
        pytest.param("=?UTF-8?B?SsO8cmdlbg==?= <ann@example.org>", "J\u00fcrgen", id="an encoded word in B"),
        pytest.param(
            "=?utf-8?q?J=C3=BCr?= =?iso-8859-1?q?gen_M=FC?= <ann@example.org>",
            "J\u00fcrgen M\u00fc",
            id="two encoded words",
        ),
        pytest.param('"=?utf-8?q?J=C3=BC?=" <ann@example.org>', "J\u00fc", id="an encoded word in quotes"),
        pytest.param("=?none?q?a?= <ann@example.org>", "=?none?q?a?=", id="an encoded word of no charset"),
        pytest.param("=?utf-8?b?A?= <ann@example.org>", "=?utf-8?b?A?=", id="an encoded word that is cut"),
        pytest.param("[Ann](mailto:ann@example.org)", "Ann", id="a Markdown link"),
        pytest.param("[ann@example.org](mailto:ann@example.org)", None, id="a Markdown link of the address"),
        pytest.param("ann@example.org", None, id="no name"),
        pytest.param("<ann@example.org>", None, id="only brackets"),
        pytest.param('"  " <ann@example.org>', None, id="a blank name"),
        pytest.param("x" * MAX_NAME + " <ann@example.org>", "x" * MAX_NAME, id="the longest name"),
    ],
)
def test_the_name_beside_an_address_moves_to_its_own_field(text: str, name: str | None) -> None:
    message = email(**{"from": text, "to": text, "reply_to": text, "cc": ["bob@example.org", text]})
    assert (message.sender, message.recipient, message.reply_to) == (ADDRESS, ADDRESS, ADDRESS)
    assert message.cc == ["bob@example.org", ADDRESS]
    assert [message.from_name, message.to_name, message.reply_to_name] == [name] * 3
    assert message.cc_names == ({ADDRESS: name} if name else None)
    assert NewEmail.model_validate(message.content()) == message


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"from": "Ann <ann@example.org>", "from_name": "Bob"}, "from_name"),
        ({"to": "Ann <ann@example.org>", "to_name": "ann"}, "to_name"),
        ({"reply_to": "Ann <ann@example.org>", "reply_to_name": "Bob"}, "reply_to_name"),
        ({"cc": ["Ann <ann@example.org>"], "cc_names": {ADDRESS: "Bob"}}, "cc_names"),
        ({"cc": [ADDRESS], "cc_names": {"bob@example.org": "Bob"}}, "cc_names"),
        ({"cc_names": {ADDRESS: "Ann"}}, "cc_names"),
        ({"reply_to_name": "Ann"}, "reply_to_name"),
        *(({name: value}, name) for name in ("from_name", "to_name") for value in (5, ["a"], {"a": "b"})),
        *(({"cc": [ADDRESS], "cc_names": value}, "cc_names") for value in (5, "a", [ADDRESS])),
        *(({"cc": [ADDRESS], "cc_names": {ADDRESS: value}}, "cc_names") for value in ("", " ", None, 5)),
        ({"to": "x" * (MAX_NAME + 1) + " <ann@example.org>"}, "to_name"),
        ({"to": "x" * 4000 + " <ann@example.org>"}, "to"),
    ],
)
def test_a_request_with_a_wrong_name_is_refused(fields: dict[str, Any], wrong: str) -> None:
    with pytest.raises(ValidationError) as raised:
        email(**fields)
    assert {error["loc"][0] for error in raised.value.errors()} == {wrong}


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\0", "\x0b", "\x0c", "\x1b", "\x7f", "\x85", "\u2028"])
def test_no_name_can_begin_another_header(end: str) -> None:
    name = f"Ann{end}Bcc: evil@example.net"
    for fields in (
        {"from_name": name},
        {"to_name": f"{name}\r\n"},
        {"from": f"{name} <ann@example.org>"},
        {"to": f'"{name}" <ann@example.org>'},
        {"reply_to": f"{name} <ann@example.org>"},
        {"cc": [f"{name} <ann@example.org>"]},
        {"from": f"[{name}](mailto:ann@example.org)"},
    ):
        with pytest.raises(ValidationError):
            email(**fields)
    for encoded in ("=0D=0ABcc:_evil@example.net", "=0A", "=00", "=1B"):
        with pytest.raises(ValidationError, match=r"control characters|NUL"):
            email(**{"from": f"=?utf-8?q?Ann{encoded}b?= <ann@example.org>"})


def test_a_name_can_be_in_its_field_or_beside_the_address_or_both() -> None:
    beside = email(**{"from": "Ann <ann@example.org>", "cc": ["Bob <Bob@Example.org>"]})
    in_fields = email(
        **{"from": ADDRESS, "from_name": " Ann ", "cc": ["bob@example.org"]},
        cc_names={"BOB@example.org": "Bob"},
    )
    both = email(**{"from": "Ann <ann@example.org>", "from_name": "Ann", "cc": ["Bob <bob@example.org>"]})
    for message in (beside, in_fields, both):
        assert (message.from_name, message.cc_names) == ("Ann", {"bob@example.org": "Bob"})
    for nothing in (None, "", "  "):
        assert email(from_name=nothing, reply_to_name=nothing, cc_names=None).from_name is None
    assert email(cc_names={}).cc_names is None


def test_of_two_names_of_one_address_in_cc_the_first_is_used() -> None:
    assert email(cc=["A <a@example.org>", "B <a@example.org>"]).cc_names == {"a@example.org": "A"}


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ("Ann", "Ann"),
        (None, None),
        (" Ann ", "Ann"),
        ("Ann\r\nLee", "Ann  Lee"),
        ("a\0b\ud800", "ab?"),
        ("x" * 5000, "x" * MAX_NAME),
        ("x" * (MAX_NAME - 1) + " yz", "x" * (MAX_NAME - 1)),
        ("\t", None),
        (5, None),
        (["Ann"], None),
    ],
)
def test_a_received_name_is_stored_and_complete_if_it_was_changed(value: object, stored: str | None) -> None:
    names, changed = storable_names({"from_name": value, "cc_names": {ADDRESS: value}})
    assert names["from_name"] == stored
    assert names["cc_names"] == ({ADDRESS: stored} if stored else None)
    assert changed == (
        {}
        if value == stored == "Ann"
        else {**({"from_name": value} if value != stored else {}), "cc_names": {ADDRESS: value}}
    )
    email(from_name=stored)


def test_received_names_of_copies_are_limited() -> None:
    many = {f"{n}@example.org": "x" for n in range(MAX_NAMES + 1)}
    names, changed = storable_names({"cc_names": many})
    assert (len(names["cc_names"]), changed) == (MAX_NAMES, {"cc_names": many})
    assert storable_names({"cc_names": "Ann"}) == (dict.fromkeys(names), {"cc_names": "Ann"})
