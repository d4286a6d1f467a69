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


UNUSUAL_ADDRESSES = {
    "dots": "taro..y.@docomo.ne.jp",
    "leading dot": ".taro@docomo.ne.jp",
    "quoted dots": '"ab..cde"@docomo.ne.jp',
    "quoted blank": '"john smith"@example.org',
    "quoted at sign": '"a@b"@example.org',
    "quoted quotes": '"a\\"b\\\\"@example.org',
    "quoted parentheses": '"(x)"@example.org',
    "underscore in the domain": "john@abc_d.example.org",
    "hyphen at the beginning of a label": "john@-a.example.org",
    "local": "nas@printer.local",
    "single label": "root@localhost",
    "IPv4 literal": "x@[192.0.2.7]",
    "IPv6 literal": "x@[ipv6:2001:db8::1]",
    "two at signs": "a@b@example.org",
    "percent": "user%host@relay.example",
    "UUCP": "host!user@relay.example",
    "SRS": "srs0=hash=tt=example.org=ann@forwarder.example",
    "apostrophe": "o'neil+tag@example.org",
    "internationalized": "jürgen@bücher.example",
    "emoji in the domain": "a@☕.example",
    "empty label": "x@example..org",
    "long": f"{'x' * 64}@{'y' * 200}.example",
}


@pytest.mark.parametrize(
    "address",
    UNUSUAL_ADDRESSES.values(),
    ids=UNUSUAL_ADDRESSES,
)
@pytest.mark.parametrize("form", ["{}", "<{}>", "Ann <{}>", '"Lee, Ann" <{}>', "{} (Ann)", "Ann <{}"])
def test_an_unusual_address_is_shown_as_it_was_written(address: str, form: str) -> None:
    [mailbox] = parse_mailboxes(form.format(address))
    assert mailbox.address == address


NAMED_ADDRESSES = {
    "missing bracket": ("Ann <ann@example.org", "Ann"),
    "nested brackets": ("Ann <<ann@example.org>>", "Ann"),
    "stray bracket": ("Ann <ann@example.org>>", "Ann"),
    "name in brackets": ("Ann <Lee <ann@example.org>>", "Ann Lee"),
    "mailto": ("<mailto:ann@example.org>", ""),
    "mailto with a subject": ("Ann <MAILTO:ann@example.org?subject=Hi>", "Ann"),
    "bare mailto": ("mailto:ann@example.org", ""),
    "brackets as in HTML": ("Ann &lt;ann@example.org&gt;", "Ann"),
    "quotes as in HTML": ("&quot;Ann Lee&quot; &lt;ann@example.org&gt;", "Ann Lee"),
    "only brackets as in HTML": ("&lt;ann@example.org&gt;", ""),
    "missing bracket as in HTML": ("Ann &lt;ann@example.org", "Ann"),
    "mailto in brackets as in HTML": ("Ann &lt;mailto:ann@example.org&gt;", "Ann"),
    "no brackets": ("Ann Lee ann@example.org", "Ann Lee"),
    "name after the address": ("ann@example.org Ann Lee", "Ann Lee"),
    "name after the brackets": ("<ann@example.org> Ann", "Ann"),
    "name in a comment": ("ann@example.org (Ann Lee)", "Ann Lee"),
    "comment before the address": ("(Ann) ann@example.org", "Ann"),
    "comments inside": ("Ann <ann(x (y))@(z)example.org>", "Ann"),
    "blanks inside": ("Ann < ann @ example . org >", "Ann"),
    "blank before the at sign": ("ann @example.org", ""),
    "address in a comment": ("Ann (ann@example.org)", "Ann"),
    "comma in a name": ("Lee, Ann <ann@example.org>", "Lee, Ann"),
    "quoted as a whole": ('"ann@example.org"', ""),
    "Outlook": ("'ann@example.org' <ann@example.org>", ""),
    "apostrophes": ("'ann@example.org'", ""),
    "typographic quotes": ("\u201cann@example.org\u201d", ""),
    "address as name": ("ann@example.org <ann@example.org>", ""),
    "address in upper case as name": ("ANN@example.org <ann@example.org>", ""),
    "other address as name": ("bob@example.com <ann@example.org>", "bob@example.com"),
    "encoded mailbox": ("=?utf-8?q?Ann_=3Cann=40example.org=3E?=", "Ann"),
    "mailbox in base64": ("=?utf-8?b?QW5uIDxhbm5AZXhhbXBsZS5vcmc+?=", "Ann"),
    "encoded address": ("=?utf-8?q?ann=40example.org?=", ""),
    "encoded address in brackets": ("Ann <=?utf-8?q?ann=40example.org?=>", "Ann"),
    "encoded local part": ("=?utf-8?q?ann?=@example.org", ""),
    "address in a name": ("=?utf-8?q?A=2C_=3Cx=40y=2Ez=3E?= <ann@example.org>", "A, <x@y.z>"),
    "encoded word in quotes": ('"=?utf-8?q?J=C3=BCrgen?=" <ann@example.org>', "Jürgen"),
    "encoded words": ("=?utf-8?q?J=C3=BC?= =?utf-8?q?rgen?= <ann@example.org>", "Jürgen"),
    "escaped quotes": ('"Ann \\"A\\" Lee" <ann@example.org>', 'Ann "A" Lee'),
    "quote that is not closed": ('"Ann <ann@example.org>', "Ann"),
    "comment that is not closed": ("Ann (x <ann@example.org>", "Ann x"),
    "full-width at sign": ("ann\uff20example.org", ""),
    "full-width brackets": ("\uff1cann\uff20example.org\uff1e", ""),
    "invisible at the ends": ("\u200bann@example.org\ufeff", ""),
    "invisible inside": ("an\u200bn@exam\u00adple.org", ""),
    "marks of direction": ("\u202aann@example.org\u202c", ""),
    "dot at the end": ("ann@example.org.", ""),
    "route": ("<@a.example,@b.example:ann@example.org>", ""),
    "Markdown": ("[ann@example.org](mailto:ann@example.org)", ""),
    "brackets in a name": ("[Ticket 5] Ann <ann@example.org>", "[Ticket 5] Ann"),
    "group": ("Friends: Ann <ann@example.org>;", "Ann"),
    "needless quotes": ('"ann"@example.org', ""),
    "needless backslash": ('"a\\nn"@example.org', ""),
}


@pytest.mark.parametrize(
    ("value", "name"),
    NAMED_ADDRESSES.values(),
    ids=NAMED_ADDRESSES,
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


DIFFERENT_ADDRESSES = {
    "Kelvin sign": ("k@example.org", "\u212a@example.org"),
    "Angstrom sign": ("å@example.org", "\u212b@example.org"),
    "Ohm sign": ("ω@example.org", "\u2126@example.org"),
    "full-width letter": ("ann@example.org", "\uff41nn@example.org"),
    "dotted I": ("i@example.org", "\u0130@example.org"),
    "dotless i": ("i@example.org", "\u0131@example.org"),
    "sharp s": ("strasse@example.org", "straße@example.org"),
    "capital sharp s": ("straße@example.org", "STRAẞE@example.org"),
    "final sigma": ("\u03c3@example.org", "\u03c2@example.org"),
    "ligature": ("fi@example.org", "ﬁ@example.org"),
    "composition": ("é@example.org", "e\u0301@example.org"),
    "sharp s in the domain": ("a@faß.example", "a@fass.example"),
    "umlaut in the domain": ("a@xn--bcher-kva.example", "a@bucher.example"),
    "ASCII in Punycode": ("a@xn--abc-.example", "a@abc.example"),
    "dot": ("a.b@example.org", "ab@example.org"),
    "quoted at sign": ("a@b@example.org", '"a@b"@example.org'),
    "quoted dots": ("a..b@example.org", '"a..b"@example.org'),
    "two dots": ("a..b@example.org", "a.b@example.org"),
    "too long": (f"1{LONG}", f"2{LONG}"),
    "too long at the end": (f"{LONG}x", f"{LONG}y"),
}


@pytest.mark.parametrize(
    ("first", "second"),
    DIFFERENT_ADDRESSES.values(),
    ids=DIFFERENT_ADDRESSES,
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


@pytest.mark.slow
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
