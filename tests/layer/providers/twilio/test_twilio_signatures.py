"""Twilio's signatures, made by its own library, and the samples of its documentation."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest

from messaging.problems import SignatureRejected
from messaging.providers.provider import Webhook
from tests.layer.providers.twilio import signatures
from tests.layer.providers.twilio.signatures import (
    FORM,
    HEADER,
    JSON,
    OTHER_TOKEN,
    TOKEN,
    URL,
    is_accepted,
    provider,
    signed,
)
from tests.support.configuration import Configure

PAYLOADS = sorted((Path(__file__).parent / "payloads").glob("*.form"))


def test_the_signed_samples_of_the_documentation_are_verified() -> None:
    body = (
        b"CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212"
    )
    headers = {HEADER: "RSOYDt4T1cUTdK1PDd93/VVr8B8=", "content-type": FORM}
    webhook = Webhook("https://mycompany.com/myapp.php", "foo=1&bar=2", headers, body)
    assert is_accepted(webhook, provider("12345"))
    assert not is_accepted(replace(webhook, query="bar=2&foo=1"), provider("12345"))


@pytest.mark.parametrize("file", PAYLOADS, ids=[file.stem for file in PAYLOADS])
def test_each_payload_is_verified_and_a_changed_one_is_refused(file: Path) -> None:
    webhook = signed(file.read_bytes())
    assert is_accepted(webhook)
    for spoilt in (
        b"",
        webhook.body[:-1],
        webhook.body + b"1",
        webhook.body + b"&more=",
        b"more=&" + webhook.body,
    ):
        assert not is_accepted(replace(webhook, body=spoilt))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"a=",
        b"a=&b=",
        b"b=2&a=1",
        b"a=2&a=1",
        b"a=1&a=1",
        b"a=1&a=2&b=&b=&a=1",
        b"a=+1+&b=%20%0A",
        b"a=%2B1%26&b=%3D",
        b"a=\xc3\xa9&b=%F0%9F%91%8D",
        b"Z=1&a=2&A=3&_=4&10=5&9=6",
    ],
)
def test_blank_and_repeated_fields_are_part_of_the_signature(body: bytes) -> None:
    assert is_accepted(signed(body))
    assert not is_accepted(replace(signed(body), body=body + b"&c=1"))


@pytest.mark.parametrize(
    "query",
    [
        "",
        "reference=7",
        "a=1&a=1&b=",
        "a=%2b%2B+%20'",
        "q=%C3%A9&q=é",
        "a=1;b=2",
        "=",
        "&&",
        "a?b",
        "foo=bar#x",
    ],
)
def test_the_query_is_signed_as_it_was_sent(query: str) -> None:
    webhook = signed(b"a=1", query)
    assert is_accepted(webhook)
    assert not is_accepted(replace(webhook, query=f"{query}&"))


@pytest.mark.parametrize(
    ("query", "signed_query"),
    [
        ("who=a%40b%3Ac", "who=a@b:c"),
        ("Caller=sip%3a12%4010.0.0.1&reference=7", "Caller=sip:12@10.0.0.1&reference=7"),
        ("city=Trezzo+Sull%27Adda", "city=Trezzo+Sull'Adda"),
        ("a=%2540&b=%20%2B%26", "a=%2540&b=%20%2B%26"),
        ("a=%40%20b%26", "a=@%20b%26"),
        ("who=a@b:c", "who=a@b:c"),
        ("who=a%40b", "who=a%40b"),
    ],
)
def test_twilio_signs_some_characters_of_the_query_without_their_escapes(
    query: str, signed_query: str
) -> None:
    for host in ("api.example.com", "api.example.com:443"):
        called = f"https://{host}/hook?{signed_query}"
        body = b"MessageSid=SM1"
        webhook = Webhook("https://api.example.com/hook", query, signatures.form(called, body), body)
        assert is_accepted(webhook)
        assert not is_accepted(replace(webhook, query=query.replace("%20", "+") + "&"))
        assert not is_accepted(replace(webhook, query=f"x{query}"))


@pytest.mark.parametrize("query", ["a=b%26c", "a=b%3Dc", "a=b%23c", "a=b%2Bc", "a=%2540"])
def test_an_escape_that_changes_the_meaning_of_the_query_is_not_removed(query: str) -> None:
    body = b"MessageSid=SM1"
    called = f"https://api.example.com/hook?{unquote(query)}"
    assert not is_accepted(
        Webhook("https://api.example.com/hook", query, signatures.form(called, body), body)
    )


@pytest.mark.parametrize(
    ("url", "signed_url"),
    [
        ("https://api.example.com/hook", "https://api.example.com:443/hook"),
        ("https://api.example.com:443/hook", "https://api.example.com/hook"),
        ("https://api.example.com:8443/hook", "https://api.example.com/hook"),
        ("https://api.example.com:8443/hook", "https://api.example.com:8443/hook"),
        ("http://127.0.0.1/hook", "http://127.0.0.1:80/hook"),
        ("http://127.0.0.1:8080/hook", "http://127.0.0.1/hook"),
        ("https://api.example.com/hook", "https://api.example.com/hook"),
        ("https://api.example.com/", "https://api.example.com:443/"),
        ("https://api.example.com", "https://api.example.com:443"),
        ("https://api.example.com/a:1//b", "https://api.example.com:443/a:1//b"),
    ],
)
def test_the_port_in_the_signed_url_is_optional(url: str, signed_url: str) -> None:
    assert is_accepted(signed(b"a=1", "b=2", url, signed_url))


@pytest.mark.parametrize(
    "signed_url",
    [
        "http://api.example.com/hook",
        "https://api.example.com:8443/hook",
        "https://api.example.com:80/hook",
        "https://API.example.com/hook",
        "https://api.example.com/Hook",
        "https://api.example.com/hook/",
        "https://user@api.example.com/hook",
        "https://evil.example/hook",
    ],
)
def test_another_url_is_refused(signed_url: str) -> None:
    assert not is_accepted(signed(b"a=1", "", "https://api.example.com/hook", signed_url))


def test_headers_do_not_decide_which_url_was_called() -> None:
    webhook = signed(b"a=1", "", URL, "https://evil.example/api/webhooks/sms/twilio")
    headers = {"host": "evil.example", "x-forwarded-host": "evil.example", "x-forwarded-proto": "https"}
    assert not is_accepted(replace(webhook, headers={**webhook.headers, **headers}))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: "",
        lambda signature: signature[:-1],
        lambda signature: f"{signature} ",
        lambda signature: signature.lower(),
        lambda signature: signature.rstrip("="),
        lambda signature: f"{signature},{signature}",
        lambda signature: "é\ud800" + signature,
        lambda signature: hashlib.sha1(signature.encode()).hexdigest(),
    ],
)
def test_another_signature_is_refused(spoil: Callable[[str], str]) -> None:
    webhook = signed(b"a=1")
    assert not is_accepted(
        replace(webhook, headers={**webhook.headers, HEADER: spoil(webhook.headers[HEADER])})
    )


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        (TOKEN, True),
        ([TOKEN], True),
        ([OTHER_TOKEN, TOKEN], True),
        ([TOKEN, OTHER_TOKEN], True),
        (OTHER_TOKEN, False),
        ([OTHER_TOKEN], False),
        ([TOKEN[:-1], TOKEN.upper()], False),
    ],
)
def test_each_auth_token_verifies_a_request(tokens: object, expected: bool) -> None:
    assert is_accepted(signed(b"a=1"), provider(tokens)) is expected


@pytest.mark.parametrize("tokens", [None, "", " ", [], [""], ["", None], [" "], 7, {"current": TOKEN}])
def test_without_a_token_every_request_is_refused(tokens: object, configure: Configure) -> None:
    configure(ALLOW_UNSIGNED_WEBHOOKS="true")
    called = f"{URL}?reference=7"
    for headers in (
        {},
        {"content-type": FORM},
        *(signatures.form(called, b"a=1", token=token) for token in ("", " ", "7", "current")),
        signatures.form(called, b"a=1"),
    ):
        assert not is_accepted(Webhook(URL, "reference=7", headers, b"a=1"), provider(tokens))


def test_a_refusal_does_not_quote_the_request() -> None:
    for webhook in (
        replace(signed(b"Body=secret"), query="x"),
        Webhook(URL, "bodySHA256=secret", {"content-type": JSON}, b"{}"),
        signed(b"a=1", url="secret://x"),
        Webhook(URL, "", {"content-type": FORM}, b"secret=&" * 1001),
    ):
        with pytest.raises(SignatureRejected) as raised:
            provider(OTHER_TOKEN).verify(webhook)
        for text in (str(raised.value), str(raised.value.__cause__)):
            assert "secret" not in text
            assert OTHER_TOKEN not in text
