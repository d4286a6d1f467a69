"""functions/authorizer: which keys are allowed, and what is recorded of their use."""

from typing import Any

import pytest

from messaging.problems import Unavailable
from tests.support.admin import key_of, make_key, operate
from tests.support.api import invoke
from tests.support.configuration import Configure
from tests.support.database import Database
from tests.support.log_lines import Printed
from tests.template.test_events import event

DENY = {"isAuthorized": False}


def authorize(header: str) -> Any:
    """Call the authorizer as API Gateway does for a request with this header."""
    return invoke("authorizer", event("authorizer") | {"identitySource": [header]})


def test_a_valid_key_is_allowed_with_its_account_and_scopes(database: Database) -> None:
    key = make_key(scopes=["send", "read"], account_id=1)
    context = {"account": "1", "scopes": "read send", "key": "1"}
    assert authorize(f"Bearer {key}") == {"isAuthorized": True, "context": context}
    assert authorize(f"bearer {key}")["isAuthorized"]


@pytest.mark.parametrize(
    "header",
    [
        *("", "{key}", "Basic {key}", "Bearer  {key}", "Bearer {key} ", "Bearer {key}\n", "Bearer {key}A"),
        *(f"Bearer mk_{id}_{{secret}}" for id in ("2", "0", "01", "-1", "", "x", "1.0", "\u0661")),
        *(f"Bearer mk_{id}_{{secret}}" for id in (2**63, 10**18, 10**19, "9" * 5000)),
        *(f"Bearer mk_1_{secret}" for secret in ("", "A" * 42, "A" * 43, "\u00e9" * 43)),
        *(f"Bearer {'x' * 100_000}", "Bearer \0", "Bearer {key},Bearer {key}"),
    ],
    ids=lambda header: ascii(header)[:30],
)
def test_any_other_header_is_denied(database: Database, header: str) -> None:
    key = make_key()
    assert authorize(header.format(key=key, secret=key_of(key))) == DENY
    assert database.value("SELECT last_used_at IS NULL FROM api_keys")


def test_a_revoked_key_and_an_expired_key_are_denied(database: Database) -> None:
    revoked, expired, good = make_key(), make_key(expires_at="2100-01-01T00:00:00Z"), make_key()
    database.rows("UPDATE api_keys SET expires_at = '2024-11-01T14:00:00Z' WHERE id = 2")
    assert operate("DELETE /api/admin/keys/1").status == 200
    assert [authorize(f"Bearer {key}")["isAuthorized"] for key in (revoked, expired, good)] == [
        False,
        False,
        True,
    ]


def test_a_key_is_valid_until_it_expires(database: Database) -> None:
    key = make_key(expires_at="2100-01-01T00:00:00Z")
    assert authorize(f"Bearer {key}")["isAuthorized"]
    database.rows("UPDATE api_keys SET expires_at = clock_timestamp()")
    assert authorize(f"Bearer {key}") == DENY


def test_a_use_is_recorded_once_a_minute(database: Database) -> None:
    key = make_key()
    uses = "SELECT actor, account_id, key_id, details::text FROM audit_events WHERE action = 'key.used'"
    for _ in range(3):
        authorize(f"Bearer {key}")
    use = ["key:1", 1, 1, '{"source": "203.0.113.7"}']
    assert database.rows(uses) == [use]
    database.rows("UPDATE api_keys SET last_used_at = last_used_at - interval '61 seconds'")
    authorize(f"Bearer {key}")
    assert database.rows(uses) == [use] * 2
    assert database.value("SELECT last_used_at > clock_timestamp() - interval '1 minute' FROM api_keys")


def test_a_rejected_key_is_logged_by_its_id_only(database: Database, printed: Printed) -> None:
    secret = make_key().removeprefix("mk_1_")
    authorize(f"Bearer mk_1_{secret[::-1]}")
    authorize(f"Bearer mk_1_{secret}")
    assert secret[::-1] not in printed.text
    assert secret not in printed.text
    [rejection] = [line for line in printed.lines if line.get("message") == "Key rejected"]
    assert (rejection["key_id"], rejection["reason"]) == (1, "unknown")


def test_an_outage_of_the_database_is_an_error_and_not_a_denial(configure: Configure) -> None:
    """API Gateway would cache a denial for a minute."""
    configure(DATABASE_URL="postgresql://nobody@127.0.0.1:9/nowhere?sslmode=disable")
    with pytest.raises(Unavailable):
        authorize(f"Bearer mk_1_{'A' * 43}")


def test_the_database_does_not_contain_the_secret(database: Database) -> None:
    key = make_key()
    authorize(f"Bearer {key}")
    for table in ("api_keys", "audit_events"):
        [[rows]] = database.rows(f"SELECT string_agg(t::text, '') FROM {table} t")
        assert key_of(key) not in str(rows)
