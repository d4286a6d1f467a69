"""Bodies of webhooks: read within bounds, whoever wrote them."""

import time
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import parse_qsl, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.problems import Unreadable
from messaging.transport.payload import MAX_FIELDS, Field, form, json_object, json_value, urlencoded

SIZE = 500_000  # bytes, of which twelve times as many can come
HEAD = b'--x\r\nContent-Disposition: form-data; name="a"'


def multipart(body: bytes, content_type: str = "multipart/form-data; boundary=x") -> list[Field]:
    return list(form(content_type, body))


def part(name: str, content: bytes, more: str = "") -> bytes:
    head = f'--x\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
    return head.encode() + content + b"\r\n"


def listed(values: int) -> bytes:
    return b"[" + b",".join([b"1"] * values) + b"]"


# --- JSON --------------------------------------------------------------------------------------------


def test_half_of_an_emoji_does_not_lose_what_stands_around_it() -> None:
    told = rb'["\ud83d", "a\udE00\ud83dz", "\uD83D\uDE00", "\\ud83d", "\\\ud83d", "\u00e4"]'
    assert json_value(told) == ["\ufffd", "a\ufffd\ufffdz", "\U0001f600", "\\ud83d", "\\\ufffd", "\xe4"]


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"{}", {}),
        (b'[{"a": [1, 2.5, null, true, "\\u00e9"]}]', [{"a": [1, 2.5, None, True, "é"]}]),
        (b'"' + b",[{" * 300_000 + b'"', ",[{" * 300_000),  # punctuation of a text is no value
        (b'"\\"' + b"," * 300_000 + b'\\\\"', '"' + "," * 300_000 + "\\"),
        (b"[" * 199 + b"]" * 199, None),
        (listed(199_999), [1] * 199_999),
    ],
)
def test_json_is_read(body: bytes, value: object) -> None:
    assert value in (json_value(body), None)


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"nul", b"\xff", b'"\xff"', b"{}x", b"NaN", b"[Infinity]", b"9" * 5000),
        *(b"[" * 300 + b"]" * 300, b"[" * SIZE, b'{"a":' * 300 + b"1" + b"}" * 300),
        *(
            listed(200_001),
            b"[" + b"{}," * 100_000 + b"1]",
            b'{"":' * 70_000,
            b'["' + b'","' * 100_000 + b'"]',
        ),
    ],
)
def test_json_that_is_none_or_too_much_is_refused(body: bytes) -> None:
    with pytest.raises(Unreadable):
        json_value(body)


@pytest.mark.parametrize("body", [b"[]", b"null", b"1", b'"{}"'])
def test_an_object_is_one(body: bytes) -> None:
    with pytest.raises(Unreadable):
        json_object(body)


# --- Forms -------------------------------------------------------------------------------------------

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)


@given(st.lists(st.tuples(TEXT, TEXT), max_size=20))
def test_every_field_of_a_form_is_read_in_its_order(fields: list[tuple[str, str]]) -> None:
    """Blank and repeated ones too: a signature may be made over all of them."""
    for written in (urlencode(fields), "&".join(f"{quote_plus(a)}={quote_plus(b)}" for a, b in fields)):
        assert list(urlencoded(written)) == list(urlencoded(written.encode())) == fields


@given(st.text(st.sampled_from("%%%aA4f1&&==+ é;zC39;"), max_size=15))
def test_a_form_is_read_as_the_standard_library_does(text: str) -> None:
    try:
        known = parse_qsl(text, keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        with pytest.raises(Unreadable):
            urlencoded(text)
    else:
        assert urlencoded(text) == known


@pytest.mark.parametrize("body", [b"\xff", b"%ED%A0%80=1", b"&" * MAX_FIELDS])
def test_a_form_that_is_none_or_too_much_is_refused(body: bytes) -> None:
    with pytest.raises(Unreadable):
        urlencoded(body)
    with pytest.raises(Unreadable):
        multipart(body, "application/x-www-form-urlencoded")


@pytest.mark.parametrize("body", [b"a=\xe9", b"a=%E9"])
def test_a_field_of_a_form_need_not_be_text(body: bytes) -> None:
    """A mail that travels as a field of one is in a charset of its own."""
    assert multipart(body, "application/x-www-form-urlencoded") == [Field("a", b"\xe9")]
    with pytest.raises(Unreadable):
        urlencoded(body)


def test_a_query_that_is_no_text_is_refused() -> None:
    with pytest.raises(Unreadable):
        urlencoded("a=\ud800")


def test_a_form_may_have_as_many_fields_as_are_allowed() -> None:
    assert len(urlencoded(b"&".join([b"a=1"] * MAX_FIELDS))) == MAX_FIELDS
    assert len(multipart(part("a", b"1") * MAX_FIELDS + b"--x--")) == MAX_FIELDS
    with pytest.raises(Unreadable):
        multipart(part("a", b"1") * (MAX_FIELDS + 1) + b"--x--")


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded; charset=utf-8", "x"])
def test_what_is_not_multipart_is_urlencoded(kind: str) -> None:
    assert multipart(b"a=%E2%82%AC&b=", kind) == [Field("a", "€".encode()), Field("b", b"")]


def test_a_multipart_form_is_read_byte_for_byte() -> None:
    every = bytes(range(256))
    body = (
        part("a", b"")
        + part("a", "€".encode())
        + part("é", b"\r\n--y", '; filename="b \'.png"')
        + part("", b"\r", '; filename=""\r\nContent-Type: image/png; charset=x')
        + part("b", every)
        + b"--x--\r\n"
    )
    for kind in ('multipart/form-data; boundary="x"', "Multipart/Form-Data;boundary=x; charset=utf-8"):
        assert multipart(body, kind) == [
            Field("a", b"", None, "text/plain"),
            Field("a", "€".encode(), None, "text/plain"),
            Field("é", b"\r\n--y", "b '.png", "application/octet-stream"),
            Field("", b"\r", "", "image/png"),
            Field("b", every, None, "text/plain"),
        ]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        *((part("a", b"1") + b"--x--", f"multipart/form-data{more}") for more in ("", "; boundary=", ";x=y")),
        *((part("a", b"1") + b"--x--", f"multipart/form-data; boundary={more}") for more in ("y", "\ud800")),
        *(
            (body, "multipart/form-data; boundary=x")
            for body in (b"", b"--", b"--x", b"--x\r\n", b"x" * 9999)
        ),
        (part("a", b"1"), "multipart/form-data; boundary=x"),  # without an end
        (part("a", b"1") + b"--x-", "multipart/form-data; boundary=x"),
        (part("a", b"1").replace(b"\r\n", b"\n") + b"--x--", "multipart/form-data; boundary=x"),
        (b"--x\r\n\r\n1\r\n--x--", "multipart/form-data; boundary=x"),  # without a name
        (b"--x\r\nContent-Disposition: attachment; name=a\r\n\r\n--x--", "multipart/form-data; boundary=x"),
        (b"--x\r\nX: \xff\r\n\r\n1\r\n--x--", "multipart/form-data; boundary=x"),
        (HEAD + b"a" * 5000 + b"\r\n\r\n1\r\n--x--", "multipart/form-data; boundary=x"),
        (HEAD + b"\r\nX: y" * 20 + b"\r\n\r\n1\r\n--x--", "multipart/form-data; boundary=x"),
        (HEAD + b"\r\nContent-Length: 99\r\n\r\n1\r\n--x--", "multipart/form-data; boundary=x"),
    ],
)
def test_a_broken_multipart_form_is_refused(body: bytes, kind: str) -> None:
    with pytest.raises(Unreadable):
        multipart(body, kind)


@given(st.binary(max_size=200), st.text(max_size=40), st.integers(0, 300))
def test_no_form_is_too_strange(noise: bytes, kind: str, at: int) -> None:
    whole = part("a", b"1") + part("b", b"2", '; filename="c"') + b"--x--"
    for body in (noise, whole[:at], whole[:at] + noise + whole[at:]):
        for content_type in (
            kind,
            f"multipart/form-data; boundary={kind}",
            "multipart/form-data; boundary=x",
        ):
            try:
                multipart(body, content_type)
            except Unreadable:
                continue


# --- Memory and time ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("read", "unit", "end"),
    [
        *((json_value, unit, b"") for unit in (b'"', b'{"":', b'\\"', b"[", b",", b"9", b"\n", b"\\u1234")),
        *(
            (urlencoded, unit, b"")
            for unit in (b"%", b"%41", b"%41a", b"%41aa", b"%C3%A9a", b"+", b"=", b"&a")
        ),
        *((multipart, HEAD + b"\r\n\r\n" + unit, b"") for unit in (b"a" * 2900, b"\r\n--" * 700)),
        (multipart, HEAD + b'; a="' * 800 + b"\r\n\r\na\r\n", b"--x--"),
        (multipart, HEAD + b"; a=a" * 800 + b"\r\n\r\na\r\n", b"--x--"),
    ],
)
def test_what_is_read_takes_little_more_memory_than_it_came_in(
    read: Callable[[bytes], object], unit: bytes, end: bytes
) -> None:
    body = unit * (SIZE // len(unit)) + end
    began = time.process_time()
    attempted(read, body)
    assert time.process_time() - began < 1
    tracemalloc.start()
    attempted(read, body)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 7 * len(body)


def attempted(read: Callable[[bytes], object], body: bytes) -> None:
    with suppress(Unreadable):
        read(body)
