"""Routing: every declared_methods route, the functions' own URLs, and paths that do not exist."""

import pytest

from messaging import models
from messaging.inbound import store
from messaging.inbound.faults import Fault, FaultKind
from messaging.postgres import database as product
from tests.layer.handlers.test_api import GOOD, problem
from tests.support import messages
from tests.support.admin import make_key
from tests.support.api import (
    EMAIL,
    INBOUND_EMAIL,
    INBOUND_SMS,
    NEW_SMS,
    SMS,
    Answer,
    call,
    call_url,
    template,
)
from tests.support.configuration import Configure
from tests.support.database import Database

pytestmark = [pytest.mark.usefixtures("aws", "database"), pytest.mark.slow]

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}
PATHS = {route.path for route in template().routes if route.path and not route.path.endswith("+}")}
UNREACHABLE = "postgresql://nobody:x@127.0.0.1:9/none?sslmode=disable"


@pytest.fixture(autouse=True)
def allow_unsigned(configure: Configure) -> None:
    configure(ALLOW_UNSIGNED_WEBHOOKS="true", PROVIDER_SECRET_ARN="")


def concrete(path: str) -> str:
    return (
        path.replace("{id}", "1")
        .replace("{number}", "1")
        .replace("{address}", "*")
        .replace("{provider}", "sms" if "/sms/" in path else "email")
    )


BODIES: dict[tuple[str, str], object] = {
    **{("POST", path): body for path, body in GOOD.items()},
    ("POST", "/api/admin/accounts"): {"name": "Shop"},
    ("PATCH", "/api/admin/accounts/1"): {"name": "Shop"},
    ("POST", "/api/admin/addresses"): {"address": "nobody@example.com", "account_id": 1},
    ("POST", "/api/admin/keys"): {"account_id": 1, "scopes": ["read"]},
}
ROUTES = sorted((route.method, concrete(route.path)) for route in template().routes if route.path in PATHS)


def declared_methods(path: str) -> set[str]:
    return {route.method for route in template().routes if route.path == path}


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_declared_route_succeeds(method: str, path: str) -> None:
    call("POST", SMS, {**NEW_SMS, "type": "mms", "attachments": ["https://example.com/a.jpg"]})
    make_key()
    store.store_request(messages.request(), [], Fault(FaultKind.UNREADABLE, "fault"))
    answer = call(method, path, BODIES.get((method, path), b""))
    assert answer.status in (200, 201, 202, 204, 302), answer.body


@pytest.mark.parametrize(
    ("path", "method"),
    [(path, method) for path in sorted(PATHS) for method in sorted(METHODS - declared_methods(path))],
)
def test_another_method_is_a_405_that_names_the_allowed_methods(path: str, method: str) -> None:
    if (path, method) in ((SMS, "GET"), (EMAIL, "GET")):
        assert problem(call(method, path), 422).fields == ["id"]  # the last part is taken as a message's id
        return
    for body in (b"", b"x"):
        answer = problem(call(method, concrete(path), body), 405)
        assert answer.headers["allow"] == ", ".join(sorted(declared_methods(path)))


@pytest.mark.parametrize("path", sorted(PATHS))
def test_options_returns_the_methods_without_a_key(path: str) -> None:
    answer = call("OPTIONS", concrete(path))
    assert (answer.status, answer.body) == (204, b"")
    assert set(answer.headers["allow"].split(", ")) >= declared_methods(path)


@pytest.mark.parametrize(
    "path",
    [
        *("/api", "/api/", "/nothing", "/favicon.ico", "/api/conversations/", "/api/conversations/1/x"),
        *("/api/webhooks", "/api/webhooks/fax", "/api/webhooks/sms/a/b", "/api/messages/sms/", "//", "/%00"),
        "/\u20ac",
    ],
)
def test_a_path_that_does_not_exist_is_a_404(path: str) -> None:
    for method in (*METHODS, "OPTIONS"):
        for body in (b"", b"x"):
            problem(call(method, path, body), 404)


@pytest.mark.parametrize("id", ["1", "999", str(2**63 - 1)])
@pytest.mark.parametrize(
    "path", ["/api/messages/{}", "/api/conversations/{}", "/api/conversations/{}/messages"]
)
def test_an_unknown_id_is_a_404(path: str, id: str) -> None:
    problem(call("GET", path.format(id)), 404)


@pytest.mark.parametrize(
    "path",
    ["sms/nobody", "sms/email", "email/sms", "sms/SMS", "sms/%2e%2e", "sms/" + "x" * 5000, "sms/\u20ac"],
)
def test_an_unknown_provider_or_one_of_another_channel_is_a_404(path: str) -> None:
    problem(call("POST", f"/api/webhooks/{path}", INBOUND_SMS), 404)


# --- The functions' own URLs -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "fields", "provider"),
    [("sms_webhook", INBOUND_SMS, "sms"), ("email_webhook", INBOUND_EMAIL, "email")],
)
def test_a_function_url_accepts_what_the_route_accepts(
    function: str, fields: dict[str, object], provider: str
) -> None:
    prefix = f"/api/webhooks/{provider}"
    for path in ("/", f"/{provider}", prefix, f"{prefix}/", f"{prefix}/{provider}"):
        assert call_url(function, "POST", path, fields).json["id"] == 1
    for path in (
        "/nobody",
        f"{prefix}/nobody",
        "/api/webhooks/fax",
        "/a/b",
        "/api/messages/sms",
        f"{prefix}x",
    ):
        problem(call_url(function, "POST", path, fields), 404)
    for method in METHODS - {"POST"}:
        for path in ("/", f"/{provider}", prefix):
            answer = problem(call_url(function, method, path), 405)
            assert answer.headers["allow"] == "POST"


def test_the_route_and_the_function_url_require_a_signature(configure: Configure) -> None:
    configure(ALLOW_UNSIGNED_WEBHOOKS="")
    problem(call("POST", "/api/webhooks/sms", INBOUND_SMS), 403)
    problem(call_url("sms_webhook", "POST", "/", INBOUND_SMS), 403)


# --- While Postgres is unavailable -------------------------------------------------------------------


def check_unavailable(answer: Answer) -> None:
    assert int(problem(answer, 503).headers["retry-after"]) > 0


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_an_outage_of_postgres_is_a_503_with_retry_after(
    configure: Configure, method: str, path: str
) -> None:
    """This includes webhooks if their queue is unavailable too."""
    product.disconnect()
    configure(DATABASE_URL=UNREACHABLE, INBOUND_QUEUE_URL="")
    answer = call(method, path, BODIES.get((method, path), b""))
    if path in ("/", "/api/docs", "/api/openapi.json"):
        assert answer.status in (200, 302)
    else:
        check_unavailable(answer)


def test_an_outage_of_postgres_is_a_503_on_a_function_url(configure: Configure) -> None:
    product.disconnect()
    configure(DATABASE_URL=UNREACHABLE, INBOUND_QUEUE_URL="")
    check_unavailable(call_url("sms_webhook", "POST", "/", INBOUND_SMS))
    check_unavailable(call_url("email_webhook", "POST", "/email", INBOUND_EMAIL))


def test_the_next_request_succeeds_when_postgres_is_back(configure: Configure, database: Database) -> None:
    product.disconnect()
    configure(DATABASE_URL=UNREACHABLE)
    check_unavailable(call("POST", SMS, NEW_SMS))
    configure(DATABASE_URL=database.url)
    assert call("POST", SMS, NEW_SMS).status == 202


def test_health_is_ok_only_if_the_database_answers_and_is_migrated(database: Database) -> None:
    healthy = call("GET", "/healthz")
    assert (healthy.status, healthy.json) == (200, {"status": "ok"})
    database.rows("UPDATE alembic_version SET version_num = 'older'")
    try:
        check_unavailable(call("GET", "/healthz"))
    finally:
        database.rows(f"UPDATE alembic_version SET version_num = '{models.SCHEMA_REVISION}'")
