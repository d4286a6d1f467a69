"""Concurrent changes of accounts, addresses and keys: real processes with a connection each."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from messaging.accounts import keys
from messaging.accounts import store as accounts_store
from messaging.accounts.store import ChangeOutcome
from messaging.outbound import store
from tests.support import messages
from tests.support.admin import make_account, make_key, operate
from tests.support.database import Database
from tests.support.race import Race
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow


def claim(account: int) -> ChangeOutcome:
    return accounts_store.add_address("operator", account, "+12016660001").outcome


def test_one_of_many_that_add_an_address_at_once_gets_it(database: Database, race: Race) -> None:
    accounts = [make_account(f"Shop {number}") for number in range(8)]
    outcomes = race("account_addresses", claim, accounts)
    assert sorted(outcomes) == [*[ChangeOutcome.CONFLICT] * 7, ChangeOutcome.CREATED]
    assert database.value("SELECT count(*) FROM audit_events WHERE action = 'address.added'") == 1


def revoke(_: int) -> str | None:
    return accounts_store.revoke_key("operator", 1)


def test_a_key_that_many_revoke_at_once_is_revoked_once(database: Database, race: Race) -> None:
    make_key()
    assert len(set(race("api_keys", revoke, list(range(8))))) == 1
    logged = database.rows("SELECT action FROM audit_events ORDER BY id")
    assert logged == [["key.created"], ["key.revoked"]]


def receive_or_add_address(number: int) -> str:
    """Receive a message; in the middle of all this, give the address to an account."""
    if number == 30:
        return accounts_store.add_address("operator", 2, messages.CUSTOMER).outcome
    return messages.receive(f"id-{number}")[1].body


def test_an_address_that_gets_an_owner_while_messages_arrive_gets_all_of_them(
    database: Database, race: Race
) -> None:
    operate("DELETE /api/admin/addresses/*")
    account = make_account("Shop")
    race("webhook_requests, account_addresses", receive_or_add_address, list(range(60)))
    assert database.rows("SELECT account_id, count(*) FROM messages GROUP BY 1") == [[account, 59]]
    assert database.value("SELECT count(*) FROM conversations") == 1


def send(_: int) -> str:
    return store.accept_message(1, messages.sms_to_new_contact(), ["sms"]).outcome


def test_concurrent_sends_do_not_exceed_the_account_s_limit(database: Database, race: Race) -> None:
    database.rows("UPDATE accounts SET sends_per_day = 20 WHERE id = 1")
    outcomes = race("messages", send, list(range(60)))
    assert outcomes.count(store.AcceptOutcome.CREATED) == 20
    assert outcomes.count(store.AcceptOutcome.LIMITED) == 40
    assert database.value("SELECT count(*) FROM messages") == 20


def use(header: str) -> int | None:
    return keys.authorize(header, "203.0.113.7").account


def test_concurrent_uses_of_a_key_are_recorded_once(database: Database, race: Race) -> None:
    header = f"Bearer {make_key()}"
    assert race("api_keys", use, [header] * 8) == [1] * 8
    assert database.value("SELECT count(*) FROM audit_events WHERE action = 'key.used'") == 1


def add_and_remove(number: int) -> object:
    if number % 2:
        return accounts_store.remove_address("operator", "+12016660001")
    return accounts_store.add_address("operator", 1, "+12016660001").outcome


def test_the_audit_log_has_each_concurrent_addition_and_removal_of_an_address(
    database: Database, race: Race
) -> None:
    """A call that finds the address taken may find it removed when it reads the owner."""
    outcomes = race("account_addresses", add_and_remove, list(range(80)))
    added, removed = outcomes.count(ChangeOutcome.CREATED), outcomes.count(True)
    assert set(outcomes) <= {ChangeOutcome.CREATED, ChangeOutcome.EXISTS, True, False}
    remaining = "SELECT count(*) FROM account_addresses WHERE address <> '*'"
    assert added - removed == database.value(remaining)
    logged = database.rows("SELECT action, count(*) FROM audit_events GROUP BY 1 ORDER BY 1")
    assert logged == [["address.added", added], ["address.removed", removed]]


def rotate(_: int) -> str | None:
    return accounts_store.create_key(
        "operator", 1, "web", ["send"], keys.hash_secret(keys.generate_secret()), None
    )


def test_keys_that_are_created_at_once_are_different(database: Database, race: Race) -> None:
    assert len(set(race("api_keys", rotate, list(range(8))))) == 8
    assert database.value("SELECT count(DISTINCT hash) FROM api_keys WHERE account_id = 1") == 8
    assert database.value("SELECT count(DISTINCT key_id) FROM audit_events") == 8


@pytest.mark.parametrize(("first", "second"), [("*", messages.CUSTOMER), (messages.CUSTOMER, "*")])
def test_of_concurrent_owners_of_an_address_and_of_all_the_first_gets_its_messages(
    database: Database, other: Database, first: str, second: str
) -> None:
    operate("DELETE /api/admin/addresses/*")
    winner, loser = make_account("First"), make_account("Second")
    messages.receive()
    other.rows("BEGIN")
    other.rows("SELECT add_address('operator', :account, :address)", account=winner, address=first)
    with ThreadPoolExecutor(1) as pool:
        adding = pool.submit(accounts_store.add_address, "operator", loser, second)
        eventually(lambda: database.value("SELECT count(*) FROM pg_locks WHERE NOT granted"))
        other.rows("COMMIT")
        assert adding.result().outcome is ChangeOutcome.CREATED
    for table in ("conversations", "messages"):
        assert database.rows(f"SELECT account_id FROM {table}") == [[winner]]
