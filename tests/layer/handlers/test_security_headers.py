"""The security headers of every response."""

import pytest

from tests.layer.handlers.test_api import GOOD
from tests.layer.handlers.test_routes import PATHS, concrete, declared_methods
from tests.support.api import INBOUND_SMS, SMS, Answer, call, call_url, signed
from tests.support.configuration import Configure

pytestmark = [pytest.mark.usefixtures("aws", "database"), pytest.mark.slow]

ALWAYS = {
    "strict-transport-security": "max-age=31536000",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
POLICY = "default-src 'none'; frame-ancestors 'none'"
PUBLIC = {"/api/docs", "/api/openapi.json"}


@pytest.fixture(autouse=True)
def unsigned(configure: Configure) -> None:
    configure(ALLOW_UNSIGNED_WEBHOOKS="true", PROVIDER_SECRET_ARN="")


def check_headers(answer: Answer, policy: str = POLICY, cache: str = "no-store") -> None:
    headers = {name: answer.headers[name] for name in ALWAYS}
    assert headers == ALWAYS
    assert answer.headers["content-security-policy"] == policy
    assert answer.headers["cache-control"] == cache


@pytest.mark.parametrize("path", sorted(PATHS - PUBLIC))
def test_every_route_sends_the_security_headers(path: str) -> None:
    call("POST", SMS, GOOD[SMS])
    for method in declared_methods(path):
        check_headers(call(method, concrete(path), GOOD.get(concrete(path), b"")))
        check_headers(call(method, concrete(path), b"{"))
    check_headers(call("PUT", concrete(path)))


def test_an_error_sends_the_security_headers() -> None:
    check_headers(call("GET", "/nothing"))
    check_headers(call("POST", SMS, b"x", isBase64Encoded=True, body_changed_to="\u20ac"))


def test_a_function_url_sends_the_security_headers() -> None:
    check_headers(call_url("sms_webhook", "POST", "/", INBOUND_SMS, signed(INBOUND_SMS)))
    check_headers(call_url("sms_webhook", "GET", "/"))


def test_an_outage_sends_the_security_headers(configure: Configure) -> None:
    configure(MEDIA_BUCKET="none", DATABASE_URL="postgresql://nobody:x@127.0.0.1:9/none?sslmode=disable")
    check_headers(call("GET", "/healthz"))


def test_a_public_document_may_be_cached() -> None:
    check_headers(call("GET", "/api/openapi.json"), cache="max-age=300")


def test_the_documentation_page_may_run_its_script_and_call_only_this_api() -> None:
    page = call("GET", "/api/docs")
    policy = dict(part.split(maxsplit=1) for part in page.headers["content-security-policy"].split("; "))
    check_headers(page, page.headers["content-security-policy"], "max-age=300")
    assert policy.pop("connect-src") == "'self'"
    assert policy.pop("img-src") == "data:"
    assert policy.pop("script-src") == policy.pop("style-src") == "'unsafe-inline'"
    assert set(policy.values()) == {"'none'"}
    assert {"default-src", "frame-ancestors", "form-action", "base-uri"} == policy.keys()
