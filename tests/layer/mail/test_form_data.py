"""Forms that carry a mail are read whatever they look like, and the Content-Type does not matter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.mail.form_data import MAX_HEAD_LINES, Field, is_json, parse_form
from messaging.problems import Unreadable
from messaging.transport.payload import MAX_FIELDS
from tests.support.parsing_cost import assert_parsing_is_cheap, parse_or_refuse

HEAD = b'--x\r\nContent-Disposition: form-data; name="a"'
END = b"--x--\r\n"


def part(name: str, content: bytes, more: bytes | str = b"") -> bytes:
    more = more if isinstance(more, bytes) else more.encode()
    head = b'--x\r\nContent-Disposition: form-data; name="' + name.encode() + b'"' + more
    return head + b"\r\n\r\n" + content + b"\r\n"


def read(body: bytes) -> list[Field]:
    return list(parse_form(body))


def contents(body: bytes) -> list[tuple[str, bytes]]:
    return [(field.name, field.content) for field in parse_form(body)]


AB = [("a", b"1"), ("b", b"2")]


# --- The usual form ----------------------------------------------------------------------------------


def test_a_multipart_form_keeps_every_byte() -> None:
    all_bytes = bytes(range(256))
    body = (
        part("a", b"")
        + part("a", "€".encode())
        + part("é", b"\r\n--y\r\n--xy\r\n--", '; filename="b \'.png"')
        + part("e", b"\r", '; filename=""\r\nContent-Type: image/png; charset=x')
        + part("f", b"\n\r\n\r\n", "\r\nContent-Type: Text/Plain; charset=iso-8859-1")
        + part("b", all_bytes)
        + END
    )
    assert read(body) == [
        Field("a", b""),
        Field("a", "€".encode()),
        Field("é", b"\r\n--y\r\n--xy\r\n--", "b '.png", "application/octet-stream"),
        Field("e", b"\r", "", "image/png", "x"),
        Field("f", b"\n\r\n\r\n", None, "text/plain", "iso-8859-1"),
        Field("b", all_bytes),
    ]


@given(st.lists(st.binary(max_size=60).filter(lambda content: b"\n--x" not in content), max_size=5))
def test_the_content_of_each_part_is_read_byte_for_byte(all_content: list[bytes]) -> None:
    body = b"".join(part("a", content) for content in all_content) + END
    assert contents(body) == [("a", content) for content in all_content]
    in_lf = b"".join(
        b"--x\nContent-Disposition: form-data; name=a\n\n%s\n" % content for content in all_content
    )
    assert contents(in_lf + b"--x--\n") == [("a", content) for content in all_content]


@pytest.mark.parametrize("body", [b"a=%E2%82%AC&b=", b"a=\xe2\x82\xac&b"])
def test_any_other_body_is_urlencoded(body: bytes) -> None:
    assert read(body) == [Field("a", "€".encode()), Field("b", b"")]


def test_a_field_can_be_any_bytes() -> None:
    """Such as a mail, which has a charset of its own."""
    assert read(b"a=%E9&caf%E9=\xff") == [Field("a", b"\xe9"), Field("café", b"\xff")]


# --- Odd forms ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "file_name"),
    [
        ("Größe.pdf".encode("latin-1"), "Größe.pdf"),
        ("Größe.pdf".encode(), "Größe.pdf"),
        ("☎ Договор 履歴書.pdf".encode(), "☎ Договор 履歴書.pdf"),
        ("履歴書.pdf".encode("shift_jis"), None),
        ("履歴書.pdf".encode("iso2022_jp"), None),
        ("Договор.pdf".encode("koi8-r"), None),
        (b"\x80\xff\x00.pdf", None),
        (b"cut \xe2\x82", None),
    ],
    ids=["latin-1", "UTF-8", "UTF-8 of many", "Shift_JIS", "ISO-2022-JP", "KOI8-R", "binary", "cut UTF-8"],
)
def test_a_file_name_can_be_any_bytes(more: bytes, file_name: str | None) -> None:
    body = part("a", b"1") + part("file", b"%PDF\xff\0", b'; filename="' + more + b'"') + END
    first, file = parse_form(body)
    assert first == Field("a", b"1")
    assert (file.name, file.content) == ("file", b"%PDF\xff\0")
    assert file.filename
    assert file_name in (file.filename, None)


@pytest.mark.parametrize(
    ("parameters", "file_name"),
    [
        ("; filename*=UTF-8''%E2%82%AC.pdf", "€.pdf"),
        ("; filename=\"e.pdf\"; filename*=UTF-8''%E2%82%AC.pdf", "€.pdf"),
        ("; filename=e.pdf", "e.pdf"),
        ("; FileName = 'e.pdf'", "e.pdf"),
        ('; filename="a \\"b\\".pdf"', 'a "b".pdf'),
        ('; filename="C:\\Docs\\e.pdf"', "C:\\Docs\\e.pdf"),
        (";filename=two words.pdf", "two words.pdf"),
        ("\r\nContent-Type: application/pdf; name=e.pdf", "e.pdf"),
        ("", None),
    ],
)
def test_a_file_name_is_read_as_in_a_mail(parameters: str, file_name: str | None) -> None:
    [field] = parse_form(part("a", b"1", parameters) + END)
    assert (field.name, field.content, field.filename) == ("a", b"1", file_name)


@pytest.mark.parametrize(
    "body",
    [
        part("a", b"1") + part("b", b"2") + END,
        part("a", b"1") + part("b", b"2") + b"--x--",
        part("a", b"1") + part("b", b"2") + END + b"more",
        part("a", b"1") + part("b", b"2") + END + part("c", b"3"),
        part("a", b"1") + part("b", b"2")[:-2],
        part("a", b"1") + part("b", b"2") + b"--x",
        part("a", b"1") + part("b", b"2") + b"--x-",
        (part("a", b"1") + part("b", b"2") + END).replace(b"\r\n", b"\n"),
        (part("a", b"1") + part("b", b"2")[:-2]).replace(b"\r\n", b"\n"),
        part("a", b"1") + (part("b", b"2") + END).replace(b"\r\n", b"\n"),
        b"\r\n" + part("a", b"1") + part("b", b"2") + END,
        (part("a", b"1") + part("b", b"2") + END).replace(b"--x\r\n", b"--x \t\r\n"),
        (part("a", b"1") + part("b", b"2") + END).replace(b"Content-Disposition: ", b"content-disposition:"),
        (part("a", b"1") + part("b", b"2") + END).replace(b"form-data; ", b"form-data;\r\n\t"),
        (part("a", b"1") + part("b", b"2") + END).replace(b'"', b""),
        (part("a", b"1") + part("b", b"2") + END).replace(b"form-data", b"attachment"),
        (part("a", b"1") + part("b", b"2") + END).replace(
            b"\r\n\r\n", b"\r\nX-Note: \xe9\r\nX: \xff\r\n\r\n"
        ),
        (part("a", b"1") + part("b", b"2") + END).replace(
            b"\r\nContent-D", b"\r\nContent-Length: 99\r\nContent-D"
        ),
        part("a", b"1", "\r\nX: y" * 20) + part("b", b"2", "; c=" + "d" * 3000) + END,
        part("a", b"1", "\r\nContent-Type: text/plain; charset=x-unknown") + part("b", b"2", "; ; =;") + END,
        (part("a", b"1") + part("b", b"2") + END).replace(b"--x", b"--" + b'"x" y;:(z)?'),
        (part("a", b"1") + part("b", b"2") + END).replace(b"--x", b"-----------------------------9051914041"),
        (part("a", b"1") + part("b", b"2") + END).replace(b"--x", b"--" + b"x" * 200),
    ],
    ids=str.split(
        "usual no_last_line_break text_after_end parts_after_end no_end end_cut_twice end_cut LF"
        " LF_and_no_end mixed_line_breaks blank_line_before blanks_after_boundary lower_case folded unquoted"
        " attachment 8-bit wrong_length many_headers unknown_charset odd_boundary dashes long_boundary"
    ),
)
def test_an_odd_form_is_read(body: bytes) -> None:
    assert contents(body) == AB


@pytest.mark.parametrize(
    ("middle", "expected"),
    [
        (b"--x\r\n\r\nhello\r\n", Field("", b"hello", "")),
        (b"--x\r\nhello\r\n", Field("", b"hello", "")),
        (b"--x\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n", Field("", b"\x89PNG", "", "image/png")),
        (b"--x\r\nContent-Disposition: form-data\r\n\r\nhello\r\n", Field("", b"hello", "")),
        (
            b'--x\r\nContent-Disposition: form-data; filename="a.png"\r\n\r\n1\r\n',
            Field("", b"1", "a.png", "application/octet-stream"),
        ),
        (b"--x\r\n\r\n", Field("", b"", "")),
    ],
    ids=["no headers", "no blank line", "only a type", "no parameters", "no name", "nothing"],
)
def test_a_part_without_a_name_is_a_file(middle: bytes, expected: Field) -> None:
    fields = parse_form(part("a", b"1") + middle + part("b", b"2") + END)
    assert fields == [Field("a", b"1"), expected, Field("b", b"2")]


def test_repeated_fields_are_read_in_their_order() -> None:
    assert contents(part("a", b"1") * 2 + part("b", b"2") + part("a", b"3") + END) == [
        *(("a", b"1"), ("a", b"1"), ("b", b"2"), ("a", b"3"))
    ]


def test_the_boundary_of_a_mail_inside_a_form_is_not_that_of_the_form() -> None:
    """Its sender chooses it. Of a request that is sent again, the declared boundary could be this one."""
    mail = (
        b"From: a@example.org\r\n\r\n--y\r\nContent-Disposition: form-data; name=envelope\r\n\r\n{}\r\n--y--"
    )
    assert contents(part("email", mail) + END) == [("email", mail)]


@pytest.mark.parametrize("body", [b"", b"--", b"--x", b"--x\r\n", b"--x--\r\n", b"\r\n", b"--\r\n--\r\n"])
def test_a_form_without_fields_has_none(body: bytes) -> None:
    assert not [field for field in parse_form(body) if field.content]


def test_a_form_has_at_most_the_maximum_of_fields() -> None:
    assert len(read(part("a", b"1") * MAX_FIELDS + END)) == MAX_FIELDS
    for body in (part("a", b"1") * (MAX_FIELDS + 1) + END, b"&" * MAX_FIELDS):
        with pytest.raises(Unreadable):
            parse_form(body)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{}", True),
        (b" \r\n[{}]", True),
        (b"", False),
        (b"a={}", False),
        (b"--{\r\n", False),
        (b"%7B=", False),
    ],
)
def test_the_body_says_whether_it_is_json(body: bytes, expected: bool) -> None:
    assert is_json(body) is expected


@given(st.binary(max_size=200), st.integers(0, 300))
def test_any_form_is_read_or_refused(noise: bytes, at: int) -> None:
    valid = part("a", b"1") + part("b", b"2", '; filename="c"') + END
    for body in (noise, valid[:at], valid[:at] + noise + valid[at:]):
        parse_or_refuse(parse_form, body)


# --- Memory and time ---------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("unit", "end"),
    [
        *((HEAD + b"\r\n\r\n" + unit, b"") for unit in (b"a" * 2900, b"\r\n--" * 700, b"\r\n--x" * 700)),
        (HEAD + b'; a="' * 800 + b"\r\n\r\na\r\n", b"--x--"),
        (HEAD + b"; a=a" * 800 + b"\r\n\r\na\r\n", b"--x--"),
        (HEAD + b"\r\n" + b"a:\r\n" * 9000, b""),
        (HEAD + b"\r\n" + b" a\r\n" * 700, b""),
        (b"--x\r\n" + b"\r\n", b""),
        *((unit, b"") for unit in (b" ", b"\r\n", b"-", b"--x ", b"\r\n--x ", b"%41a", b"&a", b"=")),
    ],
)
def test_parsing_takes_little_time_and_memory(unit: bytes, end: bytes) -> None:
    assert_parsing_is_cheap(parse_form, unit, end)


def test_the_parts_have_at_most_the_maximum_of_header_lines() -> None:
    part_of_a_thousand = HEAD + b"\r\n" + b"A: b\r\n" * 998 + b"\r\n1\r\n"
    parts = part_of_a_thousand * (MAX_HEAD_LINES // 1000)
    assert len(parse_form(parts + END)) == MAX_HEAD_LINES // 1000
    with pytest.raises(Unreadable):
        parse_form(parts + HEAD + b"\r\n\r\n1\r\n" + END)


def test_a_part_without_an_empty_line_is_a_file_with_all_of_its_content() -> None:
    [field] = parse_form(HEAD + b"\r\n" + END)
    assert (field.name, field.content) == ("", HEAD.partition(b"\r\n")[2])
