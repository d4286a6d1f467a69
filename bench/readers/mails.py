"""Mails as senders write them against the rules, with what a person should see.

The end-to-end tests post these mails to the service, and `comparison` gives them to other readers.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from bench.readers.reader import Seen


class Kind(StrEnum):
    SENDER = "unusual senders"
    HEAD = "headers without an end"
    TEXT = "texts that look like files"
    MULTIPART = "malformed multiparts"
    ENCODING = "transfer encodings"
    CHARSET = "charsets"
    HEADER = "encoded header text"
    FILE_NAME = "file names"


class FieldMail(NamedTuple):
    kind: Kind
    name: str
    raw: bytes
    expected: Seen
    """What a person should see. Empty fields of a row are not compared, except in mails with files."""


Part = tuple[str, bytes]
"""The headers of a part, one to a line, and its content."""

TEXT = "The parcel is here."
PDF = b"%PDF-1.7 parcel\n"
PDF_BASE64 = b"JVBERi0xLjcgcGFyY2VsCg=="
SENDER = "mia@example.org"


def _lines(*lines: str) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode()


def _mail(head: str, content: bytes, sender: str = f"From: Mia <{SENDER}>", subject: str = "") -> bytes:
    """Return a mail. `head` has the headers that describe the content, which begins with their end."""
    fixed = ["To: support@example.com", "Message-ID: <parcel-12@example.org>", "MIME-Version: 1.0"]
    return _lines(sender, f"Subject: {subject or 'Parcel 12'}", *fixed, *head.splitlines()) + content


def _text_mail(sender: str = f"From: Mia <{SENDER}>", subject: str = "") -> bytes:
    return _mail("Content-Type: text/plain; charset=utf-8", f"\r\n{TEXT}\r\n".encode(), sender, subject)


def _multipart(
    *parts: Part, head: str = 'Content-Type: multipart/mixed; boundary="cut"', end: str = ""
) -> bytes:
    content = b"\r\n"
    for part_head, part_content in parts:
        content += b"--cut\r\n" + _lines(*part_head.splitlines()) + b"\r\n" + part_content + b"\r\n"
    return _mail(head, content + (end or "--cut--\r\n").encode())


_TEXT_PART: Part = ("Content-Type: text/plain; charset=utf-8", TEXT.encode())


def _with_file(head: str, content: bytes, end: str = "") -> bytes:
    """Return a mail with a text and a file."""
    return _multipart(_TEXT_PART, (head, content), end=end)


def _sender(name: str, header: str, address: str) -> FieldMail:
    return FieldMail(Kind.SENDER, name, _text_mail(header), Seen(address, "Parcel 12", TEXT))


SENDERS = [
    _sender(
        "two dots in a local part", "From: Yuki <yuki..sato.@ezweb.example>", "yuki..sato.@ezweb.example"
    ),
    _sender("a quoted local part", 'From: "Kim Lee" <"kim lee"@example.org>', '"kim lee"@example.org'),
    _sender("an underscore in a domain", "From: Ole <ole@mail_1.example.org>", "ole@mail_1.example.org"),
    _sender("a domain of one label", "From: cron <backup@nas7>", "backup@nas7"),
    _sender("an address literal", "From: Scanner <scan@[192.0.2.44]>", "scan@[192.0.2.44]"),
    _sender("no closing bracket", f"From: Mia <{SENDER}", SENDER),
    _sender("doubled brackets", f"From: Mia <<{SENDER}>>", SENDER),
    _sender("a mailto link", f"From: Mia <mailto:{SENDER}>", SENDER),
    _sender("no brackets around the address", f"From: Mia Berg {SENDER}", SENDER),
    _sender("no comma between two", f"From: Mia <{SENDER}> Desk <desk@example.org>", SENDER),
    _sender("a comment inside the address", "From: mia(at home)@example.org", SENDER),
    _sender("an encoded address", "From: =?utf-8?Q?Mia_=3Cmia=40example=2Eorg=3E?=", SENDER),
]

HEADS = [
    FieldMail(
        Kind.HEAD,
        "text directly after the headers",
        _lines(f"From: Mia <{SENDER}>", "Subject: Parcel 12", "Good morning,", TEXT, "Mia"),
        Seen(SENDER, "Parcel 12", f"Good morning,\n{TEXT}\nMia"),
    ),
    FieldMail(
        Kind.HEAD,
        "a part without an empty line",
        _mail(
            'Content-Type: multipart/alternative; boundary="cut"',
            f"\r\n--cut\r\nContent-Type: text/plain\r\n{TEXT}\r\n--cut--\r\n".encode(),
        ),
        Seen(SENDER, "Parcel 12", TEXT),
    ),
    FieldMail(
        Kind.HEAD,
        "a bounce without an empty line",
        _lines(
            "From: Mail Delivery <mailer-daemon@example.org>",
            "Subject: Undelivered",
            "Content-Type: text/plain",
            "<lea@example.org>:",
            "Mailbox is full.",
        ),
        Seen("mailer-daemon@example.org", "Undelivered", "<lea@example.org>:\nMailbox is full."),
    ),
    FieldMail(
        Kind.HEAD,
        "lines that end in CR CR LF",
        _text_mail().replace(b"\r\n", b"\r\r\n"),
        Seen(SENDER, "Parcel 12", TEXT),
    ),
    FieldMail(
        Kind.HEAD,
        "a separator of blanks",
        _mail("Content-Type: text/plain", b"  \r\n" + TEXT.encode() + b"\r\n"),
        Seen(SENDER, "Parcel 12", TEXT),
    ),
    FieldMail(
        Kind.HEAD,
        "an mbox line before the headers",
        b"From mia@example.org Mon Jan  6 10:00:00 2025\r\n" + _text_mail(),
        Seen(SENDER, "Parcel 12", TEXT),
    ),
]


def _text_part(name: str, head: str) -> FieldMail:
    raw = _multipart((head, TEXT.encode()))
    return FieldMail(Kind.TEXT, name, raw, Seen(SENDER, "Parcel 12", TEXT))


def _single(name: str, head: str) -> FieldMail:
    raw = _mail(head, b"\r\n" + TEXT.encode() + b"\r\n")
    return FieldMail(Kind.TEXT, name, raw, Seen(SENDER, "Parcel 12", TEXT))


TEXTS = [
    _text_part("a text with a name", 'Content-Type: text/plain; charset=utf-8; name="sms.txt"'),
    _text_part(
        "an inline text with a file name",
        'Content-Type: text/plain\nContent-Disposition: inline; filename="message_1.txt"',
    ),
    _single("no semicolon before charset", "Content-Type: text/plain charset=utf-8"),
    _single("a comment after the type", "Content-Type: text/plain (flowed); charset=utf-8"),
    _single("a type without a subtype", "Content-Type: text"),
    _single("an unknown subtype of text", "Content-Type: text/x-note; charset=utf-8"),
]


def _odd_multipart(name: str, **arguments: str) -> FieldMail:
    return FieldMail(
        Kind.MULTIPART, name, _multipart(_TEXT_PART, **arguments), Seen(SENDER, "Parcel 12", TEXT)
    )


MULTIPARTS = [
    FieldMail(
        Kind.MULTIPART,
        "a multipart in base64",
        _mail(
            'Content-Type: multipart/mixed; boundary="cut"\nContent-Transfer-Encoding: base64',
            # --cut, a text/plain part with TEXT, --cut--
            b"\r\nLS1jdXQNCkNvbnRlbnQtVHlwZTogdGV4dC9wbGFpbg0KDQpUaGUgcGFyY2Vs\r\nIGlzIGhlcmUuDQotLWN1dC0tDQo=\r\n",
        ),
        Seen(SENDER, "Parcel 12", TEXT),
    ),
    _odd_multipart("no semicolon before the boundary", head='Content-Type: multipart/mixed boundary="cut"'),
    _odd_multipart("a boundary that is not folded", head='Content-Type: multipart/mixed;\nboundary="cut"'),
    _odd_multipart(
        "two Content-Types", head='Content-Type: text/plain\nContent-Type: multipart/mixed; boundary="cut"\n'
    ),
    _odd_multipart("single quotes around the boundary", head="Content-Type: multipart/mixed; boundary='cut'"),
    _odd_multipart("no closing boundary", end="\r\n"),
]


def _encoded(name: str, encoding: str, content: bytes, file: bytes = PDF, end: str = "") -> FieldMail:
    head = f'Content-Type: application/pdf; name="slip.pdf"\nContent-Transfer-Encoding: {encoding}'
    raw = _with_file(head, content, end)
    return FieldMail(Kind.ENCODING, name, raw, Seen(SENDER, "Parcel 12", TEXT, files=(("slip.pdf", file),)))


def _printable(name: str, content: bytes, text: str) -> FieldMail:
    head = "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n"
    return FieldMail(Kind.ENCODING, name, _mail(head, b"\r\n" + content), Seen(SENDER, "Parcel 12", text))


ENCODINGS = [
    _encoded("a semicolon after base64", "base64;", PDF_BASE64),
    _encoded("a quote after base64", 'base64"', PDF_BASE64),
    _encoded("a comment after base64", "base64 (binary)", PDF_BASE64),
    _encoded("an encoded word as the encoding", "=?utf-8?Q?base64?=", PDF_BASE64),
    _encoded(
        "base64 in padded chunks", "base64", b"Zmlyc3Qg\r\nc2Vjb25kIQ==\r\ndGhpcmQ=", b"first second!third"
    ),
    _encoded(
        "text after the closing boundary",
        "base64",
        PDF_BASE64,
        end="--cut--#\r\nSent by the list of example.org\r\n",
    ),
    _encoded("uuencode", "x-uuencode", b'begin 644 slip.pdf\r\n0)5!$1BTQ+C<@<&%R8V5L"@``\r\n`\r\nend'),
    _printable("a soft break before blanks", b"The parcel =  \r\nis here.\r\n", TEXT),
    _printable("encoded line ends", b"one=0D=0Atwo=0D\r\nthree\r\n", "one\ntwo\nthree"),
    FieldMail(
        Kind.ENCODING,
        "plain text declared as base64",
        _mail(
            "Content-Type: text/plain\nContent-Transfer-Encoding: base64",
            f"\r\n{TEXT} Come at ten, please.\r\n".encode(),
        ),
        Seen(SENDER, "Parcel 12", f"{TEXT} Come at ten, please."),
    ),
]


def _in_charset(charset: str, text: str, content: bytes) -> FieldMail:
    head = f"Content-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: 8bit\n"
    raw = _mail(head, b"\r\n" + content + b"\r\n")
    return FieldMail(Kind.CHARSET, charset, raw, Seen(SENDER, "Parcel 12", text))


CHARSETS = [
    _in_charset("windows-874", "สวัสดี", "สวัสดี".encode("cp874")),
    # NEC's row 13: circled digits and units, which ISO-2022-JP itself does not have.
    _in_charset("iso-2022-jp", "②㎏", b'\x1b$B-"-T\x1b(B'),
    _in_charset("windows-31j", "髙橋①", "髙橋①".encode("cp932")),
    _in_charset("ks_c_5601-1987", "똠방각하", "똠방각하".encode("cp949")),
    _in_charset("big5-hkscs", "喺度", "喺度".encode("big5hkscs")),
    _in_charset("iso-8859-8-i", "שלום", "שלום".encode("iso8859-8")),
    _in_charset("macintosh", "Café à Orléans", "Café à Orléans".encode("mac_roman")),
    _in_charset("koi8-u", "Їжак", "Їжак".encode("koi8-u")),
    _in_charset("cp936", "编号①", "编号①".encode("gbk")),
    FieldMail(
        Kind.CHARSET,
        "HTML's own charset",
        _mail(
            "Content-Type: text/html\nContent-Transfer-Encoding: 8bit",
            b'\r\n<html><meta charset="windows-1253"><p>' + "Ευχαριστώ".encode("cp1253") + b"</p></html>\r\n",
        ),
        Seen(SENDER, "Parcel 12", html="Ευχαριστώ"),
    ),
    # Readers differ: some trust the declaration. But text that is valid in UTF-8, and not ASCII, is UTF-8:
    # almost no text of another charset is valid by chance. Other bytes are mostly windows-1252.
    FieldMail(
        Kind.CHARSET,
        "UTF-8 declared as iso-8859-1",
        _mail("Content-Type: text/plain; charset=iso-8859-1", "\r\nPrzyjadę o piątej. Łucja\r\n".encode()),
        Seen(SENDER, "Parcel 12", "Przyjadę o piątej. Łucja"),
    ),
    FieldMail(
        Kind.CHARSET,
        "windows-1252 declared as UTF-8",
        _mail("Content-Type: text/plain; charset=utf-8", "\r\nFrühstück für 5 €\r\n".encode("cp1252")),
        Seen(SENDER, "Parcel 12", "Frühstück für 5 €"),
    ),
]


def _subject(name: str, written: bytes, subject: str, charset: str = "utf-8") -> FieldMail:
    raw = _mail(
        f"Content-Type: text/plain; charset={charset}", b"\r\n" + TEXT.encode() + b"\r\n", subject="~"
    )
    return FieldMail(Kind.HEADER, name, raw.replace(b"~", written), Seen(SENDER, subject, TEXT))


HEADERS = [
    _subject(
        "raw 8-bit in an encoded word", b"=?iso-8859-1?Q?Die_K\xfcche_bleibt_kalt?=", "Die Küche bleibt kalt"
    ),
    _subject(
        "a question mark in an encoded word", b"=?utf-8?Q?Wann=3F_Um_f=C3=BCnf?_Gut?=", "Wann? Um fünf? Gut"
    ),
    _subject(
        "no blank between encoded words",
        b"=?utf-8?Q?Gr=C3=BC=C3=9Fe_?==?utf-8?Q?aus_M=C3=BCnchen?=",
        "Grüße aus München",
    ),
    _subject("blanks in an encoded word", b"=?utf-8?Q?Sch=C3=B6nen Tag noch?=", "Schönen Tag noch"),
    _subject(
        "a cut character",
        b"Ma\xc3\xb1ana a las cinco en la cafeter\xc3\xada \xc3",
        "Mañana a las cinco en la cafetería \ufffd",
    ),
    _subject(
        "raw bytes in the body's charset", "Встреча в пять".encode("koi8-r"), "Встреча в пять", "koi8-r"
    ),
    _subject(
        "a character split between words", b"=?utf-8?B?w6TDtg==?= =?utf-8?B?w7zD?= =?utf-8?B?nw==?=", "äöüß"
    ),
]


def _named(name: str, head: str, file_name: str) -> FieldMail:
    raw = _with_file(f"{head}\nContent-Transfer-Encoding: base64", PDF_BASE64)
    return FieldMail(Kind.FILE_NAME, name, raw, Seen(SENDER, "Parcel 12", TEXT, files=((file_name, PDF),)))


FILE_NAMES = [
    _named(
        "filename* beside filename",
        'Content-Type: application/pdf\nContent-Disposition: attachment; filename="Lieferschein Kln.pdf";\n'
        " filename*=UTF-8''Lieferschein%20K%C3%B6ln.pdf",
        "Lieferschein Köln.pdf",
    ),
    _named(
        "filename* before filename",
        "Content-Type: application/pdf\nContent-Disposition: attachment; filename*=iso-8859-1''Caf%E9.pdf;\n"
        ' filename="Caf.pdf"',
        "Café.pdf",
    ),
    _named(
        "an encoded word in quotes",
        "Content-Type: application/pdf\n"
        'Content-Disposition: attachment; filename="=?utf-8?B?w4RnaWRpdXMucGRm?="',
        "Ägidius.pdf",
    ),
    _named(
        "a name in numbered pieces",
        "Content-Type: application/pdf\nContent-Disposition: attachment;\n"
        " filename*0*=UTF-8''Lieferschein%20vom%20;\n"
        " filename*1*=f%C3%BCnften%20;\n filename*2=Mai.pdf",
        "Lieferschein vom fünften Mai.pdf",
    ),
    _named(
        "a name of dots only",
        'Content-Type: application/pdf\nContent-Disposition: attachment; filename=".."',
        "attachment.pdf",
    ),
    _named("a path", 'Content-Type: application/pdf; name="C:\\\\scans\\\\slip.pdf"', "slip.pdf"),
]

MAILS: Sequence[FieldMail] = [
    *SENDERS,
    *HEADS,
    *TEXTS,
    *MULTIPARTS,
    *ENCODINGS,
    *CHARSETS,
    *HEADERS,
    *FILE_NAMES,
]


def differences(expected: Seen, seen: Seen) -> list[str]:
    """Return the names of the fields that a person would see wrong.

    Blanks at the ends, and the kind of line ends, make no difference. The HTML must contain what is expected.
    Files must be the expected ones.
    """
    wrong: list[str] = []
    if expected.sender != seen.sender:
        wrong.append("sender")
    if expected.subject != " ".join(seen.subject.split()):
        wrong.append("subject")
    if expected.text and expected.text != "\n".join(seen.text.split("\r\n")).strip():
        wrong.append("text")
    if expected.html and expected.html not in f"{seen.text}{seen.html}":
        wrong.append("html")
    if [(name, content.strip()) for name, content in expected.files] != [
        (name, content.strip()) for name, content in seen.files
    ]:
        wrong.append("files")
    return wrong
