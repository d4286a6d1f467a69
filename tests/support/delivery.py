"""Outbound messages of a test: accepted, delivered, and read from the database."""

from itertools import count

from messaging import relay
from messaging.models import NewSms
from messaging.outbound import accept as outbound_accept
from messaging.outbound import delivery
from tests.support.api import NEW_SMS
from tests.support.aws import Aws
from tests.support.database import Database
from tests.support.messages import ACCOUNT

_contacts = count(1)


def accept(aws: Aws, count: int = 1, **changes: object) -> list[int]:
    """Accept messages, each in a conversation of its own, and empty the queue. Returns their ids."""
    ids = [outbound_accept.accept(ACCOUNT, _message(changes)).message.id for _ in range(count)]
    aws.receive_queued()
    return ids


def _message(changes: dict[str, object]) -> NewSms:
    return NewSms.model_validate(NEW_SMS | {"to": f"+1804333{next(_contacts) % 10000:04}"} | changes)


def deliver(*ids: int, seconds: float = 30) -> None:
    delivery.deliver(ids, lambda: seconds)


def state(database: Database, id: int = 1) -> tuple[object, ...]:
    [row] = database.rows("SELECT status, error_code, attempt_count FROM messages WHERE id = :id", id=id)
    return tuple(row)


def events(database: Database, id: int = 1) -> list[list[object]]:
    return database.rows(
        "SELECT kind, attempt, status, code FROM message_events WHERE message_id = :id ORDER BY id", id=id
    )


def wait(database: Database, id: int = 1) -> float:
    """Seconds until the next attempt."""
    seconds = database.value(
        "SELECT extract(epoch FROM next_attempt_at - updated_at)::float"
        " FROM messages JOIN outbound_queue ON message_id = id WHERE id = :id",
        id=id,
    )
    assert isinstance(seconds, float)
    return seconds


def let_pass(database: Database, seconds: float) -> None:
    """Move every time in the database back, as if so many seconds had passed."""
    times = {
        "messages": ("created_at", "updated_at"),
        "outbound_queue": ("next_attempt_at", "dispatch_at"),
        "leases": ("expires_at",),
        "attempts": ("started_at", "ended_at"),
        "circuits": ("changed_at", "open_until"),
    }
    for table, columns in times.items():
        moved = ", ".join(f"{column} = {column} - :seconds * interval '1 second'" for column in columns)
        database.rows(f"UPDATE {table} SET {moved}", seconds=seconds)


def relayed(aws: Aws) -> list[int]:
    """Empty the queue and run a round of the relay. Returns the ids that it dispatched."""
    aws.receive_queued()
    relay.relay(lambda: 30)
    return sorted(int(dispatch["Body"]) for dispatch in aws.receive_queued())


def make_due(database: Database) -> None:
    database.rows("UPDATE outbound_queue SET next_attempt_at = clock_timestamp()")
