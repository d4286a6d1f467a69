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


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        pytest.param("filename=a.pdf", "a.pdf", id="simple"),
        pytest.param("filename=\"M.pdf\"; filename*=UTF-8''M%C3%BC.pdf", "Mü.pdf", id="extended last"),
        pytest.param("filename*=UTF-8''M%C3%BC.pdf; filename=M.pdf", "Mü.pdf", id="extended first"),
        pytest.param("filename*=\"utf-8'de'M%C3%BC.pdf\"", "Mü.pdf", id="extended in quotes"),
        pytest.param("filename*=iso-8859-1''M%FC.pdf", "Mü.pdf", id="another charset"),
        pytest.param("filename*=x-none''M%C3%BC.pdf", "Mü.pdf", id="an unknown charset"),
        pytest.param("filename*=M%C3%BC.pdf", "Mü.pdf", id="no charset"),
        pytest.param("filename*=''; filename=a.pdf", "a.pdf", id="an empty extended one"),
        pytest.param("filename*0=a; filename*1=b.pdf", "ab.pdf", id="numbered"),
        pytest.param(
            "filename*0*=utf-8''%C3; filename*1*=%BC; filename*2=.pdf", "ü.pdf", id="half characters"
        ),
        pytest.param("filename*1=b; filename*2=.pdf; filename*0=a", "ab.pdf", id="another order"),
        pytest.param("filename*0=a; filename*2=b.pdf", "ab.pdf", id="a missing number"),
        pytest.param("filename*0*=utf-8''a; filename*1*=b'c'd.pdf", "ab'c'd.pdf", id="apostrophes"),
        pytest.param("filename*1=b.pdf", "b.pdf", id="no first one"),
        pytest.param(
            "filename*10=k; filename*9=j; filename*0*=utf-8''a; filename=z", "ajk", id="numbers of two digits"
        ),
        pytest.param("filename*0=a; filename*=utf-8''b", "b", id="extended and numbered"),
        pytest.param('filename="M%C3%BC%20a.pdf"', "Mü a.pdf", id="percent-encoded without saying so"),
        pytest.param('filename="%FC.pdf"', "%FC.pdf", id="percent-encoded in another charset than UTF-8"),
        pytest.param('filename="50% off.pdf"', "50% off.pdf", id="a percent sign"),
        pytest.param('filename="5%ab.pdf"', "5%ab.pdf", id="a percent sign before letters"),
        pytest.param("filename='a b.pdf'", "a b.pdf", id="single quotes"),
        pytest.param("filename=report (1).pdf", "report (1).pdf", id="brackets are no comment"),
        pytest.param("filename=a,b.pdf", "a,b.pdf", id="a comma"),
    ],
)
def test_the_best_form_of_a_file_name_is_used(disposition: str, name: str) -> None:
    assert file_name(parse_header(f"attachment; {disposition}"), NO_HEADER) == name


def test_the_name_in_the_content_disposition_is_preferred() -> None:
    content_type = parse_header("a/b; name*=utf-8''type.pdf")
    assert file_name(parse_header("attachment; filename=file.pdf"), content_type) == "file.pdf"
    assert file_name(parse_header("attachment"), content_type) == "type.pdf"
