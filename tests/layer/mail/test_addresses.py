"""Address headers are read in whatever form they reached us."""

import time
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from messaging.email_address import MAX_ADDRESS, canonical_email, is_shortened
from messaging.mail.addresses import (
    MAX_MAILBOXES,
    MAX_VALUE,
    comparable_address,
    find_addresses,
    parse_mailboxes,
)

ANN = "ann@example.org"
BOB = "bob@example.org"
LONG = "x" * 400 + "@example.org"


def read(value: str) -> list[tuple[str, str | None]]:
    return [(mailbox.name, mailbox.address) for mailbox in parse_mailboxes(value)]


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("taro..y.@docomo.ne.jp", id="dots"),
        pytest.param(".taro@docomo.ne.jp", id="leading dot"),
        pytest.param('"ab..cde"@docomo.ne.jp', id="quoted dots"),
        pytest.param('"john smith"@example.org', id="quoted blank"),
        pytest.param('"a@b"@example.org', id="quoted at sign"),
        pytest.param('"a\\"b\\\\"@example.org', id="quoted quotes"),
        pytest.param('"(x)"@example.org', id="quoted parentheses"),
        pytest.param("john@abc_d.example.org", id="underscore in the domain"),
        pytest.param("john@-a.example.org", id="hyphen at the beginning of a label"),
        pytest.param("nas@printer.local", id="local"),
        pytest.param("root@localhost", id="single label"),
        pytest.param("x@[192.0.2.7]", id="IPv4 literal"),
        pytest.param("x@[ipv6:2001:db8::1]", id="IPv6 literal"),
        pytest.param("a@b@example.org", id="two at signs"),
        pytest.param("user%host@relay.example", id="percent"),
        pytest.param("host!user@relay.example", id="UUCP"),
        pytest.param("srs0=hash=tt=example.org=ann@forwarder.example", id="SRS"),
        pytest.param("o'neil+tag@example.org", id="apostrophe"),
        pytest.param("jürgen@bücher.example", id="internationalized"),
        pytest.param("a@☕.example", id="emoji in the domain"),
        pytest.param("x@example..org", id="empty label"),
        pytest.param(f"{'x' * 64}@{'y' * 200}.example", id="long"),
    ],
)
@pytest.mark.parametrize("form", ["{}", "<{}>", "Ann <{}>", '"Lee, Ann" <{}>', "{} (Ann)", "Ann <{}"])
def test_an_unusual_address_is_shown_as_it_was_written(address: str, form: str) -> None:
    [mailbox] = parse_mailboxes(form.format(address))
    assert mailbox.address == address


@pytest.mark.parametrize(
    ("value", "name"),
    [
        pytest.param("Ann <ann@example.org", "Ann", id="missing bracket"),
        pytest.param("Ann <<ann@example.org>>", "Ann", id="nested brackets"),
        pytest.param("Ann <ann@example.org>>", "Ann", id="stray bracket"),
        pytest.param("Ann <Lee <ann@example.org>>", "Ann Lee", id="name in brackets"),
        pytest.param("<mailto:ann@example.org>", "", id="mailto"),
        pytest.param("Ann <MAILTO:ann@example.org?subject=Hi>", "Ann", id="mailto with a subject"),
        pytest.param("mailto:ann@example.org", "", id="bare mailto"),
        pytest.param("Ann Lee ann@example.org", "Ann Lee", id="no brackets"),
        pytest.param("ann@example.org Ann Lee", "Ann Lee", id="name after the address"),
        pytest.param("<ann@example.org> Ann", "Ann", id="name after the brackets"),
        pytest.param("ann@example.org (Ann Lee)", "Ann Lee", id="name in a comment"),
        pytest.param("(Ann) ann@example.org", "Ann", id="comment before the address"),
        pytest.param("Ann <ann(x (y))@(z)example.org>", "Ann", id="comments inside"),
        pytest.param("Ann < ann @ example . org >", "Ann", id="blanks inside"),
        pytest.param("ann @example.org", "", id="blank before the at sign"),
        pytest.param("Ann (ann@example.org)", "Ann", id="address in a comment"),
        pytest.param("Lee, Ann <ann@example.org>", "Lee, Ann", id="comma in a name"),
        pytest.param('"ann@example.org"', "", id="quoted as a whole"),
        pytest.param("'ann@example.org' <ann@example.org>", "", id="Outlook"),
        pytest.param("'ann@example.org'", "", id="apostrophes"),
        pytest.param("\u201cann@example.org\u201d", "", id="typographic quotes"),
        pytest.param("ann@example.org <ann@example.org>", "", id="address as name"),
        pytest.param("ANN@example.org <ann@example.org>", "", id="address in upper case as name"),
        pytest.param("bob@example.com <ann@example.org>", "bob@example.com", id="other address as name"),
        pytest.param("=?utf-8?q?Ann_=3Cann=40example.org=3E?=", "Ann", id="encoded mailbox"),
        pytest.param("=?utf-8?b?QW5uIDxhbm5AZXhhbXBsZS5vcmc+?=", "Ann", id="mailbox in base64"),
        pytest.param("=?utf-8?q?ann=40example.org?=", "", id="encoded address"),
        pytest.param("Ann <=?utf-8?q?ann=40example.org?=>", "Ann", id="encoded address in brackets"),
        pytest.param("=?utf-8?q?ann?=@example.org", "", id="encoded local part"),
        pytest.param(
            "=?utf-8?q?A=2C_=3Cx=40y=2Ez=3E?= <ann@example.org>", "A, <x@y.z>", id="address in a name"
        ),
        pytest.param('"=?utf-8?q?J=C3=BCrgen?=" <ann@example.org>', "Jürgen", id="encoded word in quotes"),
        pytest.param("=?utf-8?q?J=C3=BC?= =?utf-8?q?rgen?= <ann@example.org>", "Jürgen", id="encoded words"),
        pytest.param('"Ann \\"A\\" Lee" <ann@example.org>', 'Ann "A" Lee', id="escaped quotes"),
        pytest.param('"Ann <ann@example.org>', "Ann", id="quote that is not closed"),
        pytest.param("Ann (x <ann@example.org>", "Ann x", id="comment that is not closed"),
        pytest.param("ann\uff20example.org", "", id="full-width at sign"),
        pytest.param("\uff1cann\uff20example.org\uff1e", "", id="full-width brackets"),
        pytest.param("\u200bann@example.org\ufeff", "", id="invisible at the ends"),
        pytest.param("an\u200bn@exam\u00adple.org", "", id="invisible inside"),
        pytest.param("\u202aann@example.org\u202c", "", id="marks of direction"),
        pytest.param("ann@example.org.", "", id="dot at the end"),
        pytest.param("<@a.example,@b.example:ann@example.org>", "", id="route"),
        pytest.param("[ann@example.org](mailto:ann@example.org)", "", id="Markdown"),
        pytest.param("[Ticket 5] Ann <ann@example.org>", "[Ticket 5] Ann", id="brackets in a name"),
        pytest.param("Friends: Ann <ann@example.org>;", "Ann", id="group"),
        pytest.param('"ann"@example.org', "", id="needless quotes"),
        pytest.param('"a\\nn"@example.org', "", id="needless backslash"),
    ],
)
def test_an_address_and_its_name_are_found(value: str, name: str) -> None:
    assert read(value) == [(name, ANN)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (f"Bob <{BOB}> Ann <{ANN}>", [("Bob", BOB), ("Ann", ANN)]),
        (f"{BOB} {ANN}", [("", BOB), ("", ANN)]),
        (f"Bob {BOB} Ann {ANN}", [("Bob", BOB), ("Ann", ANN)]),
        (f"Bob <{BOB}, Ann <{ANN}>", [("Bob", BOB), ("Ann", ANN)]),
        (f"Bob <{BOB} Ann <{ANN}>", [("Bob", BOB), ("", ANN)]),
        (f"{BOB}; {ANN};", [("", BOB), ("", ANN)]),
        (f'"B, C" <{BOB}>;{ANN}', [("B, C", BOB), ("", ANN)]),
        (f"{BOB},,\t,{ANN},", [("", BOB), ("", ANN)]),
        (f"Friends: {BOB}, Ann <{ANN}>; more:;", [("", BOB), ("Ann", ANN)]),
        (f"{BOB} (B, C), {ANN}", [("B, C", BOB), ("", ANN)]),
        (f"=?utf-8?q?B=2C?= <{BOB}>, {ANN}", [("B,", BOB), ("", ANN)]),
        (f"nobody, {ANN}", [("nobody", None), ("", ANN)]),
        ("undisclosed-recipients:;", []),
        ("<>", []),
        (" , ;<>", []),
        ("", []),
    ],
)
def test_a_header_is_split_into_mailboxes(value: str, expected: list[tuple[str, str | None]]) -> None:
    assert read(value) == expected


@pytest.mark.parametrize(
    "value",
    ["MAILER-DAEMON", "Mail Delivery <MAILER-DAEMON>", "host!user", "ann at example.org", "@", "a@", "@b"],
)
def test_text_without_an_address_stays_as_it_was_written(value: str) -> None:
    [mailbox] = parse_mailboxes(value)
    assert (mailbox.address, mailbox.text) == (None, value)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param("k@example.org", "\u212a@example.org", id="Kelvin sign"),
        pytest.param("å@example.org", "\u212b@example.org", id="Angstrom sign"),
        pytest.param("ω@example.org", "\u2126@example.org", id="Ohm sign"),
        pytest.param("ann@example.org", "\uff41nn@example.org", id="full-width letter"),
        pytest.param("i@example.org", "\u0130@example.org", id="dotted I"),
        pytest.param("i@example.org", "\u0131@example.org", id="dotless i"),
        pytest.param("strasse@example.org", "straße@example.org", id="sharp s"),
        pytest.param("straße@example.org", "STRAẞE@example.org", id="capital sharp s"),
        pytest.param("\u03c3@example.org", "\u03c2@example.org", id="final sigma"),
        pytest.param("fi@example.org", "ﬁ@example.org", id="ligature"),
        pytest.param("é@example.org", "e\u0301@example.org", id="composition"),
        pytest.param("a@faß.example", "a@fass.example", id="sharp s in the domain"),
        pytest.param("a@xn--bcher-kva.example", "a@bucher.example", id="umlaut in the domain"),
        pytest.param("a@xn--abc-.example", "a@abc.example", id="ASCII in Punycode"),
        pytest.param("a.b@example.org", "ab@example.org", id="dot"),
        pytest.param("a@b@example.org", '"a@b"@example.org', id="quoted at sign"),
        pytest.param("a..b@example.org", '"a..b"@example.org', id="quoted dots"),
        pytest.param("a..b@example.org", "a.b@example.org", id="two dots"),
        pytest.param(f"1{LONG}", f"2{LONG}", id="too long"),
        pytest.param(f"{LONG}x", f"{LONG}y", id="too long at the end"),
    ],
)
def test_two_addresses_never_become_one(first: str, second: str) -> None:
    assert None not in {canonical_email(first), canonical_email(second)}
    assert canonical_email(first) != canonical_email(second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Ann@Example.ORG", ANN),
        ("JÜRGEN@example.org", "jürgen@example.org"),
        ("a@XN--BCHER-KVA.example", "a@bücher.example"),
        ("a@BÜCHER.example", "a@bücher.example"),
        ("a@xn--53h.example", "a@☕.example"),
        ("a@xn--fa-hia.example", "a@faß.example"),
        ("a@example\u3002org", "a@example.org"),
        ("a@\uff45xample.org", "a@example.org"),
        ("a@example.org.", "a@example.org"),
        ('"ann"@example.org', ANN),
        ('"an"."n"@example.org', "an.n@example.org"),
        ('"a\\b c"@example.org', '"ab c"@example.org'),
    ],
)
def test_two_spellings_of_one_address_become_one(first: str, second: str) -> None:
    assert canonical_email(first) == second


LETTERS = st.sampled_from('aAbK\u212aßẞi\u0130\u0131ﬁ\uff41\u0301é.@"\\ <>()[],;:\u200b\u200d\u0660☕%!')
LOCAL = st.text(LETTERS | st.characters(), min_size=1, max_size=8)
DOMAIN = st.builds("{}{}".format, st.sampled_from(["", "xn--", "a.xn--"]), LOCAL)


@given(LOCAL, DOMAIN)
@example("a", "xn--ls8h")
@example('"', "x")
@example("a", "\u212a\u200d\u212a")
def test_the_canonical_form_of_a_canonical_form_is_itself(local: str, domain: str) -> None:
    address = canonical_email(f"{local}@{domain}")
    if address is None:
        return
    assert canonical_email(address) == address
    assert len(address) <= MAX_ADDRESS
    assert read(address) == [("", address)]
    assert read(f"Ann <{address}>") == [("Ann", address)]


def simple(letter: str) -> bool:
    """Whether a letter can be in a local part without quotes, and is not its own upper case's lower case."""
    return unicodedata.category(letter)[0] in "LN" and (letter.isascii() or letter.lower().upper() != letter)


@given(
    st.text(st.characters().filter(simple), min_size=1, max_size=6),
    st.text(st.characters().filter(simple), min_size=1, max_size=6),
)
@example("\u212a", "k")
@example("\u0130", "i\u0307")
@example("\u01c5", "\u01c6")
def test_local_parts_are_equal_only_if_they_differ_in_case(first: str, second: str) -> None:
    same_case = [first.translate(ASCII_LOWER), second.translate(ASCII_LOWER)]
    are_equal = canonical_email(f"{first}@example.org") == canonical_email(f"{second}@example.org")
    assert are_equal == (same_case[0] == same_case[1])


ASCII_LOWER = {ord(letter): letter.lower() for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


PIECES = (
    st.sampled_from(["\u212a\u200d\u212a", "=?utf-8?q?", "?=", "a@b.c", "mailto:", "xn--"])
    | LETTERS
    | st.text(max_size=3)
)


@given(st.lists(PIECES, max_size=40).map("".join))
def test_any_text_is_parsed(value: str) -> None:
    for mailbox in parse_mailboxes(value):
        assert mailbox.address is None or canonical_email(mailbox.address) == mailbox.address
        assert mailbox.address or mailbox.text
    assert comparable_address(value) == comparable_address(f" {value} ")


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "(",
            ")",
            "<",
            ">",
            '"',
            '"\\',
            '"\\"',
            "a@b.com,",
            "=?a?b?YQ==?= ",
            "=?a?q?",
            "<a",
            " ",
            "(\\",
            "1 ",
        ),
        *(
            "@",
            "<@a,",
            "a@b ",
            ":",
            "a:",
            "@:",
            '"a"',
            "()",
            "[",
            "[a]",
            "<a@b",
            "<a@b>",
            "'",
            "=",
            "x@xn--a.",
        ),
        *("é@é.", "\u200d", ".", '"."@', "\u200b", "\u3002"),
    ],
)
def test_a_long_header_is_parsed_in_linear_time(piece: str) -> None:
    """Quadratic time would be minutes."""
    started = time.monotonic()
    for value in (piece * (200_000 // len(piece)), piece * (90_000 // len(piece)) + "@example.org"):
        parse_mailboxes(value)
        canonical_email(value)
    assert time.monotonic() - started < 20


def test_mailboxes_over_the_maximum_stay_as_text() -> None:
    *mailboxes, rest = parse_mailboxes(",".join(f"a{n}@x.org" for n in range(1100)))
    assert len(mailboxes) == MAX_MAILBOXES
    assert (rest.address, rest.text[:11]) == (None, "a1000@x.org")


def test_the_mailbox_that_exceeds_the_maximum_is_not_cut() -> None:
    [mailbox, rest] = parse_mailboxes(f"{ANN}, {'x' * MAX_VALUE}@example.org, {BOB}")
    assert mailbox.address == ANN
    assert (rest.address, rest.text) == (None, f"{'x' * MAX_VALUE}@example.org, {BOB}")


def test_an_address_that_is_too_long_becomes_its_beginning_and_a_hash() -> None:
    address = canonical_email(LONG)
    assert address
    assert address.startswith("x" * 64)
    assert is_shortened(address)


def test_addresses_over_the_limit_and_text_are_returned_apart() -> None:
    mailboxes = parse_mailboxes("nobody, a@b.c, A@b.c, d@e.f, =?utf-8?q?G?= <g@h.i>")
    assert find_addresses(mailboxes, 2) == (["a@b.c", "d@e.f"], ["nobody", "G <g@h.i>"])
