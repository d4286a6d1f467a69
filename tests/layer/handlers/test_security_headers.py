"""What every answer of ours tells a browser: to fetch, frame, guess and keep nothing of it."""

import pytest

from tests.layer.handlers.test_api import GOOD
from tests.layer.handlers.test_routes import PATHS, concrete, declared
from tests.support.api import INBOUND_SMS, SMS, Answer, call, call_url, signed
from tests.support.configuration import Configure

pytestmark = pytest.mark.usefixtures("aws", "database")

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


def guarded(answer: Answer, policy: str = POLICY, cache: str = "no-store") -> None:
    told = {name: answer.headers[name] for name in ALWAYS}
    assert told == ALWAYS
    assert answer.headers["content-security-policy"] == policy
    assert answer.headers["cache-control"] == cache


@pytest.mark.parametrize("path", sorted(PATHS - PUBLIC))
def test_an_answer_is_guarded_whatever_it_is(path: str) -> None:
    call("POST", SMS, GOOD[SMS])
    for method in declared(path):
        guarded(call(method, concrete(path), GOOD.get(concrete(path), b"")))
        guarded(call(method, concrete(path), b"{"))
    guarded(call("PUT", concrete(path)))


def test_what_leads_nowhere_is_guarded() -> None:
    guarded(call("GET", "/nothing"))
    guarded(call("POST", SMS, b"x", isBase64Encoded=True, body_changed_to="\u20ac"))


def test_a_function_s_url_is_guarded() -> None:
    guarded(call_url("sms_webhook", "POST", "/", INBOUND_SMS, signed(INBOUND_SMS)))
    guarded(call_url("sms_webhook", "GET", "/"))


def test_a_fault_is_guarded(configure: Configure) -> None:
    configure(MEDIA_BUCKET="none", DATABASE_URL="postgresql://nobody:x@127.0.0.1:9/none?sslmode=disable")
    guarded(call("GET", "/healthz"))


def test_what_all_may_read_may_be_kept_for_a_while() -> None:
    guarded(call("GET", "/api/openapi.json"), cache="max-age=300")


def test_the_page_may_run_its_own_script_and_ask_this_api_alone() -> None:
    page = call("GET", "/api/docs")
    policy = dict(part.split(maxsplit=1) for part in page.headers["content-security-policy"].split("; "))
    guarded(page, page.headers["content-security-policy"], "max-age=300")
    assert policy.pop("connect-src") == "'self'"
    assert policy.pop("img-src") == "data:"
    assert policy.pop("script-src") == policy.pop("style-src") == "'unsafe-inline'"
    assert set(policy.values()) == {"'none'"}
    assert {"default-src", "frame-ancestors", "form-action", "base-uri"} == policy.keys()
