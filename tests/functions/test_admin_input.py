"""functions/admin: unusual input is rejected with its field, and never causes an internal error."""

import base64
import json
from urllib.parse import quote

import pytest

from tests.support.admin import make_account, operate
from tests.support.api import call
from tests.support.configuration import Configure
from tests.support.database import Database

ADMIN = "/api/admin"
pytestmark = pytest.mark.usefixtures("database")


@pytest.mark.parametrize("address", ["\0", "a\0@example.com", "*\0", "\ud800"])
def test_an_address_that_postgres_cannot_hold_is_a_404(address: str) -> None:
    path = f"{ADMIN}/addresses/{quote(address, safe='', errors='surrogatepass')}"
    assert call("DELETE", path).status == 404
    assert operate(f"DELETE {path}").status == 404


@pytest.mark.parametrize("sort_key", ["\0", "\ud800"])
def test_a_cursor_with_a_text_that_postgres_cannot_hold_is_invalid(sort_key: str) -> None:
    cursor = (
        base64.urlsafe_b64encode(json.dumps([["addresses", None], sort_key]).encode()).decode().rstrip("=")
    )
    refused = call("GET", f"{ADMIN}/addresses?cursor={cursor}")
    assert (refused.status, refused.fields) == (400, ["cursor"])


def test_an_address_that_would_be_normalized_differently_today_can_be_removed(configure: Configure) -> None:
    added = operate("POST /api/admin/addresses", {"address": "03012345", "account_id": 1})
    assert added.json["address"] == "03012345"
    configure(DEFAULT_REGION="DE")
    assert call("DELETE", f"{ADMIN}/addresses/03012345").status == 204


def test_the_quarantine_s_name_is_reserved() -> None:
    refused = call("POST", f"{ADMIN}/accounts", {"name": "quarantine"})
    assert (refused.status, refused.fields) == (409, ["name"])


@pytest.mark.parametrize("limit", [True, "5", 0, 2**31])
def test_an_invalid_limit_is_a_422(limit: object) -> None:
    make_account("Shop")
    refused = call("PATCH", f"{ADMIN}/accounts/2", {"sends_per_day": limit})
    assert (refused.status, refused.fields) == (422, ["sends_per_day"])


def test_a_name_is_stripped_and_must_not_be_empty() -> None:
    assert call("POST", f"{ADMIN}/accounts", {"name": " \t"}).fields == ["name"]
    assert call("POST", f"{ADMIN}/accounts", {"name": " Shop "}).json["name"] == "Shop"
    assert call("POST", f"{ADMIN}/accounts", {"name": "Shop"}).status == 200


def test_a_key_that_expires_in_the_past_is_not_created(database: Database) -> None:
    body = {"account_id": 1, "scopes": ["read"], "expires_at": "2024-11-01T14:00:00Z"}
    assert call("POST", f"{ADMIN}/keys", body).fields == ["expires_at"]
    assert database.value("SELECT count(*) FROM api_keys") == 0
