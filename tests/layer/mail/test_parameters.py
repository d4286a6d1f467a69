"""The parameters of a header are read as the sender meant them."""

import pytest

from messaging.mail.parameters import file_name, parse_header

NO_HEADER = parse_header("")


@pytest.mark.parametrize(
    ("header", "value", "parameters"),
    [
        ("text/plain; charset=utf-8", "text/plain", {"charset": "utf-8"}),
        ("TEXT/Plain ; Charset=UTF-8", "text/plain", {"charset": "UTF-8"}),
        ('text/plain; charset = "utf-8"', "text/plain", {"charset": "utf-8"}),
        ("text / plain;", "text/plain", {}),
        ("text/plain charset=utf-8", "text/plain", {"charset": "utf-8"}),
        ("text/plain, charset=utf-8", "text/plain", {"charset": "utf-8"}),
        ("text/plain: charset=utf-8", "text/plain", {"charset": "utf-8"}),
        ("text/plain;;; charset=utf-8;", "text/plain", {"charset": "utf-8"}),
        ("text/plain (as typed); charset=utf-8", "text/plain", {"charset": "utf-8"}),
        ("(as typed) text/plain; (again) charset=utf-8", "text/plain", {"charset": "utf-8"}),
        ('"text/plain"; charset="utf-8', "text/plain", {"charset": "utf-8"}),
        ("text", "text", {}),
        ("", "", {}),
        (";;=", "", {}),
        ("filename=a.txt", "", {"filename": "a.txt"}),
        ('multipart/mixed boundary="=_a;b"', "multipart/mixed", {"boundary": "=_a;b"}),
        ("multipart/mixed; boundary='b'", "multipart/mixed", {"boundary": "'b'"}),
        ("a/b; x=1; x=2", "a/b", {"x": "1"}),
        ('a/b; name="a.pdf" size=1', "a/b", {"name": "a.pdf", "size": "1"}),
        ("a/b; name=a b.pdf size=1", "a/b", {"name": "a b.pdf", "size": "1"}),
        ('a/b; name="say "hi".pdf"; size=1', "a/b", {"name": 'say "hi".pdf', "size": "1"}),
        (r'a/b; name="say \"hi\".pdf"; size=1', "a/b", {"name": 'say "hi".pdf', "size": "1"}),
        (r'a/b; name="C:\Temp\a.doc"', "a/b", {"name": r"C:\Temp\a.doc"}),
        ("a/b; name=; size=1", "a/b", {"name": "", "size": "1"}),
    ],
)
def test_a_header_has_a_value_and_parameters(header: str, value: str, parameters: dict[str, str]) -> None:
    assert parse_header(header) == (value, parameters)


FILE_NAMES = {
    "simple": ("filename=a.pdf", "a.pdf"),
    "extended last": ("filename=\"M.pdf\"; filename*=UTF-8''M%C3%BC.pdf", "Mü.pdf"),
    "extended first": ("filename*=UTF-8''M%C3%BC.pdf; filename=M.pdf", "Mü.pdf"),
    "extended in quotes": ("filename*=\"utf-8'de'M%C3%BC.pdf\"", "Mü.pdf"),
    "another charset": ("filename*=iso-8859-1''M%FC.pdf", "Mü.pdf"),
    "an unknown charset": ("filename*=x-none''M%C3%BC.pdf", "Mü.pdf"),
    "no charset": ("filename*=M%C3%BC.pdf", "Mü.pdf"),
    "an empty extended one": ("filename*=''; filename=a.pdf", "a.pdf"),
    "numbered": ("filename*0=a; filename*1=b.pdf", "ab.pdf"),
    "half characters": ("filename*0*=utf-8''%C3; filename*1*=%BC; filename*2=.pdf", "ü.pdf"),
    "another order": ("filename*1=b; filename*2=.pdf; filename*0=a", "ab.pdf"),
    "a missing number": ("filename*0=a; filename*2=b.pdf", "ab.pdf"),
    "apostrophes": ("filename*0*=utf-8''a; filename*1*=b'c'd.pdf", "ab'c'd.pdf"),
    "no first one": ("filename*1=b.pdf", "b.pdf"),
    "numbers of two digits": ("filename*10=k; filename*9=j; filename*0*=utf-8''a; filename=z", "ajk"),
    "extended and numbered": ("filename*0=a; filename*=utf-8''b", "b"),
    "percent-encoded without saying so": ('filename="M%C3%BC%20a.pdf"', "Mü a.pdf"),
    "percent-encoded in another charset than UTF-8": ('filename="%FC.pdf"', "%FC.pdf"),
    "a percent sign": ('filename="50% off.pdf"', "50% off.pdf"),
    "a percent sign before letters": ('filename="5%ab.pdf"', "5%ab.pdf"),
    "single quotes": ("filename='a b.pdf'", "a b.pdf"),
    "brackets are no comment": ("filename=report (1).pdf", "report (1).pdf"),
    "a comma": ("filename=a,b.pdf", "a,b.pdf"),
}


@pytest.mark.parametrize(
    ("disposition", "name"),
    FILE_NAMES.values(),
    ids=FILE_NAMES,
)
def test_the_best_form_of_a_file_name_is_used(disposition: str, name: str) -> None:
    assert file_name(parse_header(f"attachment; {disposition}"), NO_HEADER) == name


def test_the_name_in_the_content_disposition_is_preferred() -> None:
    content_type = parse_header("a/b; name*=utf-8''type.pdf")
    assert file_name(parse_header("attachment; filename=file.pdf"), content_type) == "file.pdf"
    assert file_name(parse_header("attachment"), content_type) == "type.pdf"
