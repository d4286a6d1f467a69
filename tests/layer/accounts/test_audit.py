"""What is done with accounts is noted in the audit, or not done."""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import pytest

from messaging.accounts import keys, store
from messaging.postgres.database import StatementRejected
from tests.support.admin import make_account, make_key
from tests.support.database import Database
from tests.support.waiting import eventually

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


def everything(database: Database) -> list[object]:
    """Of accounts, without the audit."""
    tables = ("accounts", "account_addresses", "api_keys")
    return [database.rows(f"SELECT t::text FROM {table} t ORDER BY 1") for table in tables]


def noted(database: Database, action: str) -> object:
    return database.value("SELECT count(*) FROM audit_events WHERE action = :action", action=action)


@CHANGES
def test_what_cannot_be_noted_is_not_done(shop: Database, change: Callable[[], object], action: str) -> None:
    before = everything(shop)
    shop.rows(f"ALTER TABLE audit_events ADD CONSTRAINT no CHECK (action <> '{action}') NOT VALID")
    try:
        with pytest.raises(StatementRejected, match="23514"):
            change()
    finally:
        shop.rows("ALTER TABLE audit_events DROP CONSTRAINT no")
    assert everything(shop) == before


@pytest.mark.slow
@CHANGES
def test_a_change_that_is_cut_off_is_done_and_noted_once(
    shop: Database, environments: ProcessPoolExecutor, change: Callable[[], object], action: str
) -> None:
    """Cut off in its midst, when it is to be noted; it is made again then."""
    before, of_them = everything(shop), noted(shop, action)
    shop.rows("BEGIN")
    shop.rows("LOCK TABLE audit_events IN EXCLUSIVE MODE")
    made = environments.submit(change)
    waiting = "SELECT pid FROM pg_locks WHERE relation = 'audit_events'::regclass AND NOT granted"
    [[pid]] = eventually(lambda: shop.rows(waiting))
    shop.rows(f"SELECT pg_terminate_backend({pid}, 5000)")
    [[another]] = eventually(lambda: shop.rows(waiting))
    assert another != pid
    assert (everything(shop), noted(shop, action)) == (before, of_them)
    shop.rows("COMMIT")
    assert made.result()
    assert everything(shop) != before
    assert noted(shop, action) == int(str(of_them)) + 1
