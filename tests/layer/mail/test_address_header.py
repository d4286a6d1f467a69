"""Address headers that we write are read by Python's email package as they were meant."""

from email import message_from_bytes
from email.policy import SMTP

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from messaging.address import Mailbox, split_mailbox
from messaging.mail.address_header import format_header, format_mailbox
from messaging.mail.addresses import parse_mailboxes
from messaging.names import Name
from tests.support.names import NAMES, read_mailboxes

ADDRESS = "ann@example.org"


def read(header: bytes) -> list[tuple[str, str]]:
    [value] = message_from_bytes(header + b"\r\n").values()
    return read_mailboxes(value)


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_a_name_arrives_as_it_was_written(name: str) -> None:
    header = format_header("From", [Mailbox(name, ADDRESS)])
    assert read(header) == [(name, ADDRESS)]
    assert header.isascii()
    assert max(map(len, header.split(b"\r\n"))) <= 998
    assert all(line.startswith((b"From:", b" ")) for line in header.split(b"\r\n")[:-1])
    on_one_line = format_mailbox(Mailbox(name, ADDRESS))
    assert "\n" not in on_one_line
    assert read(f"To: {on_one_line}\r\n".encode()) == [(name, ADDRESS)]
    [mailbox] = parse_mailboxes(on_one_line)  # as we read it ourselves
    assert split_mailbox(on_one_line) == (name, ADDRESS)
    assert (mailbox.address, mailbox.text) == (ADDRESS, on_one_line)


@pytest.mark.parametrize(
    "name", ["Ann", "Lee, Ann", 'Ann "Al" Lee', "M\u00fcller, J\u00fcrgen", "\u5c71\u7530 \u592a\u90ce"]
)
def test_a_strict_reader_sees_no_defect(name: str) -> None:
    message = message_from_bytes(format_header("To", [Mailbox(name, ADDRESS)]) + b"\r\n", policy=SMTP)
    [address] = message["To"].addresses
    assert (address.display_name, address.addr_spec) == (name, ADDRESS)
    assert not message["To"].defects


def test_encoded_words_have_at_most_75_characters() -> None:
    for name in NAMES:
        words = format_mailbox(Mailbox(name, ADDRESS)).split()
        assert all(len(word) <= 75 for word in words if word.startswith("=?"))


def test_a_long_name_with_blanks_is_also_read_right_by_a_reader_that_adds_blanks() -> None:
    name = "\u00e9\u00e9\u00e9, \u5c71\u7530 " * 30 + "end"
    message = message_from_bytes(format_header("To", [Mailbox(name, ADDRESS)]) + b"\r\n", policy=SMTP)
    assert " ".join(message["To"].addresses[0].display_name.split()) == name


def test_a_header_has_all_its_mailboxes() -> None:
    mailboxes = [Mailbox(name, f"a{n}@example.org") for n, name in enumerate([None, *NAMES])]
    header = format_header("Cc", mailboxes)
    assert read(header) == [(name or "", address) for name, address in mailboxes]


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\0"])
def test_a_mailbox_with_a_line_end_is_not_written(end: str) -> None:
    for mailbox in (
        Mailbox(f"Ann{end}Bcc: b@example.org", ADDRESS),
        Mailbox(f"\u00e9{end}", ADDRESS),
        Mailbox(None, f"{ADDRESS}{end}"),
    ):
        with pytest.raises(ValueError, match="one line"):
            format_mailbox(mailbox)


def test_an_address_that_is_not_ascii_is_not_written_in_a_header() -> None:
    with pytest.raises(ValueError, match="ascii"):
        format_header("To", [Mailbox("Ann", "\u00e9@example.org")])


@given(st.text(max_size=320))
def test_any_valid_name_arrives(text: str) -> None:
    try:
        name: str | None = TypeAdapter(Name).validate_python(text)
    except ValidationError:
        return
    if name:
        assert read(format_header("To", [Mailbox(name, ADDRESS)])) == [(name, ADDRESS)]
