"""Where a request leads: every declared route, the functions' own URLs, and what leads nowhere."""

import pytest

from messaging.conversations import reads
from messaging.postgres import database as product
from tests.layer.handlers.test_api import GOOD, problem
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

pytestmark = pytest.mark.usefixtures("aws", "database")

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}
PATHS = {route.path for route in template().routes if route.path and not route.path.endswith("+}")}
AWAY = "postgresql://nobody:x@127.0.0.1:9/none?sslmode=disable"


@pytest.fixture(autouse=True)
def unsigned(configure: Configure) -> None:
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


def declared(path: str) -> set[str]:
    return {route.method for route in template().routes if route.path == path}


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_declared_route_is_answered(method: str, path: str) -> None:
    call("POST", SMS, {**NEW_SMS, "type": "mms", "attachments": ["https://example.com/a.jpg"]})
    make_key()
    answered = call(method, path, BODIES.get((method, path), b""))
    assert answered.status in (200, 201, 202, 204, 302), answered.body


@pytest.mark.parametrize(
    ("path", "method"),
    [(path, method) for path in sorted(PATHS) for method in sorted(METHODS - declared(path))],
)
def test_another_method_is_a_405_that_says_which_are_allowed(path: str, method: str) -> None:
    if (path, method) in ((SMS, "GET"), (EMAIL, "GET")):
        assert problem(call(method, path), 422).fields == ["id"]  # it is read as a message's id
        return
    for body in (b"", b"x"):
        answered = problem(call(method, concrete(path), body), 405)
        assert answered.headers["allow"] == ", ".join(sorted(declared(path)))


@pytest.mark.parametrize("path", sorted(PATHS))
def test_a_browser_is_told_the_methods_before_it_may_send_a_key(path: str) -> None:
    answered = call("OPTIONS", concrete(path))
    assert (answered.status, answered.body) == (204, b"")
    assert set(answered.headers["allow"].split(", ")) >= declared(path)


@pytest.mark.parametrize(
    "path",
    [
        *("/api", "/api/", "/nothing", "/favicon.ico", "/api/conversations/", "/api/conversations/1/x"),
        *("/api/webhooks", "/api/webhooks/fax", "/api/webhooks/sms/a/b", "/api/messages/sms/", "//", "/%00"),
        "/\u20ac",
    ],
)
def test_a_path_that_leads_nowhere_is_a_404(path: str) -> None:
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
def test_a_provider_that_is_unknown_or_serves_another_channel_is_a_404(path: str) -> None:
    problem(call("POST", f"/api/webhooks/{path}", INBOUND_SMS), 404)


# --- The functions' own URLs -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "fields", "provider"),
    [("sms_webhook", INBOUND_SMS, "sms"), ("email_webhook", INBOUND_EMAIL, "email")],
)
def test_a_function_s_url_takes_what_the_route_takes(
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
            answered = problem(call_url(function, method, path), 405)
            assert answered.headers["allow"] == "POST"


def test_a_signature_holds_by_either_way(configure: Configure) -> None:
    configure(ALLOW_UNSIGNED_WEBHOOKS="")
    problem(call("POST", "/api/webhooks/sms", INBOUND_SMS), 403)
    problem(call_url("sms_webhook", "POST", "/", INBOUND_SMS), 403)


# --- While Postgres is away --------------------------------------------------------------------------


def away(answer: Answer) -> None:
    assert int(problem(answer, 503).headers["retry-after"]) > 0


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_while_postgres_is_away_it_is_a_503_that_says_when_to_come_back(
    configure: Configure, method: str, path: str
) -> None:
    """Webhooks as well, where the queue that would hold them is away too."""
    product.disconnect()
    configure(DATABASE_URL=AWAY, INBOUND_QUEUE_URL="")
    answered = call(method, path, BODIES.get((method, path), b""))
    if path in ("/", "/api/docs", "/api/openapi.json"):
        assert answered.status in (200, 302)
    else:
        away(answered)


def test_a_function_s_url_says_so_as_well(configure: Configure) -> None:
    product.disconnect()
    configure(DATABASE_URL=AWAY, INBOUND_QUEUE_URL="")
    away(call_url("sms_webhook", "POST", "/", INBOUND_SMS))
    away(call_url("email_webhook", "POST", "/email", INBOUND_EMAIL))


def test_once_postgres_is_back_the_next_request_succeeds(configure: Configure, database: Database) -> None:
    product.disconnect()
    configure(DATABASE_URL=AWAY)
    away(call("POST", SMS, NEW_SMS))
    configure(DATABASE_URL=database.url)
    assert call("POST", SMS, NEW_SMS).status == 202


def test_health_is_told_of_a_database_that_is_there_and_migrated(database: Database) -> None:
    healthy = call("GET", "/healthz")
    assert (healthy.status, healthy.json) == (200, {"status": "ok"})
    database.rows("UPDATE alembic_version SET version_num = 'older'")
    try:
        away(call("GET", "/healthz"))
    finally:
        database.rows(f"UPDATE alembic_version SET version_num = '{reads.REVISION}'")
