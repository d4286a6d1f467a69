"""Every change of an account is in the audit log, or is not changed."""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import pytest

from messaging.accounts import keys, store
from messaging.postgres.database import StatementRejected, disconnect
from tests.support.admin import make_account, make_key
from tests.support.database import Database
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

SHOP = "+12016660001"


def create_account() -> object:
    return store.create_account("operator", "Other", None, None).outcome


def change_account() -> object:
    return store.change_account("operator", 2, {"sends_per_day": 7}).outcome


def add_address() -> object:
    return store.add_address("operator", 2, "+12016660002").outcome


def remove_address() -> object:
    return store.remove_address("operator", SHOP)


def create_key() -> object:
    return store.create_key("operator", 2, "web", ["send"], keys.hash_secret("A" * 43), None)


def revoke_key() -> object:
    return store.revoke_key("operator", 1)


def on_new_connection(change: Callable[[], object]) -> object:
    """Make a change on a new connection: one that an earlier test ended would use up the only retry."""
    disconnect()
    return change()


CHANGES = pytest.mark.parametrize(
    ("change", "action"),
    [
        (create_account, "account.created"),
        (change_account, "account.changed"),
        (add_address, "address.added"),
        (remove_address, "address.removed"),
        (create_key, "key.created"),
        (revoke_key, "key.revoked"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)


@pytest.fixture
def shop(database: Database) -> Database:
    make_key(make_account("Shop", SHOP))
    return database


def account_rows(database: Database) -> list[object]:
    """All rows of accounts, without the audit log."""
    tables = ("accounts", "account_addresses", "api_keys")
    return [database.rows(f"SELECT t::text FROM {table} t ORDER BY 1") for table in tables]


def count_events(database: Database, action: str) -> object:
    return database.value("SELECT count(*) FROM audit_events WHERE action = :action", action=action)


@CHANGES
def test_a_change_that_cannot_be_logged_is_not_made(
    shop: Database, change: Callable[[], object], action: str
) -> None:
    before = account_rows(shop)
    shop.rows(f"ALTER TABLE audit_events ADD CONSTRAINT no CHECK (action <> '{action}') NOT VALID")
    try:
        with pytest.raises(StatementRejected, match="23514"):
            change()
    finally:
        shop.rows("ALTER TABLE audit_events DROP CONSTRAINT no")
    assert account_rows(shop) == before


@CHANGES
def test_a_change_that_loses_its_connection_is_made_and_logged_once(
    shop: Database, environments: ProcessPoolExecutor, change: Callable[[], object], action: str
) -> None:
    """The connection ends in the middle of the change, before it is logged. The change is then repeated."""
    before, events_before = account_rows(shop), count_events(shop, action)
    shop.rows("BEGIN")
    try:
        shop.rows("LOCK TABLE audit_events IN EXCLUSIVE MODE")
        changed = environments.submit(on_new_connection, change)
        waiting = "SELECT pid FROM pg_locks WHERE relation = 'audit_events'::regclass AND NOT granted"
        [[pid]] = eventually(lambda: shop.rows(waiting))
        shop.rows(f"SELECT pg_terminate_backend({pid}, 5000)")
        [[another]] = eventually(lambda: shop.rows(waiting))
        assert another != pid
        assert (account_rows(shop), count_events(shop, action)) == (before, events_before)
    finally:
        shop.rows("COMMIT")  # also if an assertion failed: the lock would fail the tests that follow
    assert changed.result()
    assert account_rows(shop) != before
    assert count_events(shop, action) == int(str(events_before)) + 1
