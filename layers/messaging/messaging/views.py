"""What is read from Postgres: single rows and pages, in the JSON that the database makes of them.

Pages walk by key, never by offset: the last one costs what the first one costs. Every function raises
problems.Unavailable where the database is away.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    Row,
    Select,
    Text,
    and_,
    asc,
    cast,
    desc,
    func,
    literal,
    literal_column,
    or_,
    select,
    text,
    tuple_,
    union_all,
)
from sqlalchemy.sql.elements import ColumnElement

from messaging import cursor as cursors
from messaging.database import run
from messaging.models import MAX_ID, Channel
from messaging.problems import Unavailable
from messaging.tables import conversations, messages

REVISION = "0007"
"""The Alembic revision that this code was written for; a test holds it at the migrations' head."""

MAX_PAGE_BYTES = 4_000_000
"""What a page's messages may take together: Lambda's answers end at 6 MB."""
ENVELOPE = 1_000
"""Bytes for what a message shows beside its content: ids, times, provider, status, error."""

_MESSAGE = cast(func.message_json(literal_column("messages"), literal_column("conversations")), Text)
_CONVERSATION = cast(func.conversation_json(literal_column("conversations")), Text)
_EVENTS: ColumnElement[str] = literal_column(
    "(SELECT coalesce(json_agg(event_json(e) ORDER BY e.id), '[]')::text"
    " FROM message_events e WHERE e.message_id = messages.id)"
)


class Page(NamedTuple):
    items: Sequence[str]
    """Each the JSON text of one object."""
    next_cursor: str | None


def check() -> None:
    """Raises Unavailable where the database does not answer or is not migrated to REVISION."""
    rows = run(text("SELECT version_num FROM alembic_version"), {})
    if [row.version_num for row in rows] != [REVISION]:
        raise Unavailable("The database is not migrated.")


def message(account: int, id: int) -> str | None:
    """The JSON text of a message with its events, oldest first (models.MessageWithEvents)."""
    rows = run(
        select(_MESSAGE, _EVENTS)
        .select_from(messages.join(conversations))
        .where(messages.c.id == id, messages.c.account_id == account),
        {},
    )
    return f'{rows[0][0][:-1]},"events":{rows[0][1]}}}' if rows else None


def attachment(account: int, id: int, number: int) -> Mapping[str, Any] | None:
    """A message's attachment, the first being 1: {"url"}, or {"key", "name", "content_type", "size"}."""
    found = select(messages.c.attachments[number - 1]).where(
        messages.c.id == id, messages.c.account_id == account
    )
    rows = run(found, {})
    return rows[0][0] if rows else None


def conversation(account: int, id: int) -> str | None:
    """The JSON text of a conversation (models.Conversation)."""
    rows = run(
        select(_CONVERSATION).where(conversations.c.id == id, conversations.c.account_id == account),
        {},
    )
    return rows[0][0] if rows else None


def list_conversations(
    account: int,
    limit: int,
    cursor: str | None = None,
    *,
    address: str | None = None,
    type: Channel | None = None,
    updated_since: datetime | None = None,
) -> Page:
    """The conversations with the newest activity first; `address` may be either side's.

    Raises Unreadable for a cursor of a walk with other filters.
    """
    c = conversations.c
    walk = ["conversations", address, type, updated_since and updated_since.isoformat()]
    wanted = [c.account_id == account]
    if type:
        wanted.append(
            literal(type.value, literal_execute=True) == func.any(c.types)
        )  # as its partial index has it
    if updated_since:
        wanted.append(c.last_message_at >= updated_since)
    if cursor:
        place = cursors.decode(cursor, walk, cursors.moment, cursors.number)
        wanted.append(tuple_(c.last_message_at, c.id) < tuple_(*place))

    def newest(
        *columns: ColumnElement[Any], where: Sequence[ColumnElement[bool]]
    ) -> Select[*tuple[Any, ...]]:
        found = select(*columns).where(*wanted, *where)
        return found.order_by(c.last_message_at.desc(), c.id.desc()).limit(limit + 1)

    sides: list[ColumnElement[bool]] = []
    if address:
        # One walk a side, each along its own index; an OR would read them both to the end.
        both = [c.customer_address == address, c.contact_address == address]
        sides = [c.id.in_(union_all(*(newest(c.id, where=[side]).subquery().select() for side in both)))]
    rows = run(newest(c.last_message_at, c.id, _CONVERSATION, where=sides), {})
    more = len(rows) > limit
    return Page(
        [row[2] for row in rows[:limit]], cursors.encode(walk, *rows[limit - 1][:2]) if more else None
    )


def list_messages(
    account: int,
    conversation_id: int,
    limit: int,
    cursor: str | None = None,
    *,
    newest_first: bool = False,
) -> Page | None:
    """A conversation's messages in order of arrival; None where there is no such conversation.

    Oldest first always gives a cursor: asked later, it goes on. Raises Unreadable for another walk's cursor.
    """
    m = messages.c
    walk = ["messages", conversation_id, "desc" if newest_first else "asc"]
    after = cursors.decode(cursor, walk, cursors.number)[0] if cursor else MAX_ID if newest_first else 0
    # A range and no equality, so that one index alone has this order: the primary key has it too within one
    # conversation, and would be read through all the others wherever this one is taken for a crowded one.
    place, start = tuple_(m.conversation_id, m.id), tuple_(conversation_id, after)
    if newest_first:
        order, ahead = desc, and_(place < start, m.conversation_id >= conversation_id)
    else:
        order, ahead = asc, and_(place > start, m.conversation_id <= conversation_id)
    sizes = (
        select(m.id, m.size)
        .where(ahead, m.account_id == account)
        .order_by(order(m.conversation_id), order(m.id))
        .limit(limit + 1)
        .subquery()
    )
    running = select(
        sizes.c.id,
        func.sum(sizes.c.size + ENVELOPE).over(order_by=order(sizes.c.id)).label("bytes"),
        func.row_number().over(order_by=order(sizes.c.id)).label("place"),
        func.count().over().label("found"),
    ).subquery()
    page = (
        select(conversations.c.id, m.id, _MESSAGE, running.c.found)
        .select_from(
            conversations.outerjoin(
                running,
                and_(running.c.place <= limit, or_(running.c.place == 1, running.c.bytes <= MAX_PAGE_BYTES)),
            ).outerjoin(messages, m.id == running.c.id)
        )
        .where(conversations.c.id == conversation_id, conversations.c.account_id == account)
        .order_by(order(m.id))
    )
    found = run(page, {})
    if not found:
        return None
    rows: list[Row[*tuple[Any, ...]]] = [row for row in found if row[1] is not None]
    more = bool(rows) and rows[0].found > len(rows)
    last = rows[-1][1] if rows else after
    going_on = more or not newest_first
    return Page([row[2] for row in rows], cursors.encode(walk, last) if going_on else None)
