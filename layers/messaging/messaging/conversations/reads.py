"""What is read from Postgres: single rows and pages, in the JSON that the database makes of them.

Pages walk by key, never by offset: the last one costs what the first one costs. Every function raises
problems.Unavailable where the database is away.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from messaging.models import MAX_ID, Channel
from messaging.postgres import cursor as cursors
from messaging.postgres.database import Values, run
from messaging.problems import Unavailable

REVISION = "0001"
"""The Alembic revision that this code was written for; a test holds it at the migrations' head."""

MAX_PAGE_BYTES = 4_000_000
"""What a page's messages may take together: Lambda's answers end at 6 MB."""
MAX_EVENTS = 500
"""Of a message that are shown with it: a provider may report as often as it likes."""
ENVELOPE = 1_000
"""Bytes for what a message shows beside its content: ids, times, provider, status, error."""

_MESSAGE = "message_json(m, c)::text"
_CONVERSATION = "conversation_json(c)::text"


class Page(NamedTuple):
    items: Sequence[str]
    """Each the JSON text of one object."""
    next_cursor: str | None


def check() -> None:
    """Raises Unavailable where the database does not answer or is not migrated to REVISION."""
    if [revision for (revision,) in run("SELECT version_num FROM alembic_version")] != [REVISION]:
        raise Unavailable("The database is not migrated.")


def message(account: int, id: int) -> str | None:
    """Returns the JSON of a responses.MessageWithEvents, with the last MAX_EVENTS events, oldest first."""
    rows = run(
        f"SELECT {_MESSAGE}, (SELECT coalesce(json_agg(event_json(last.e) ORDER BY (last.e).id), '[]')::text"
        f"  FROM (SELECT e FROM message_events e WHERE e.message_id = m.id ORDER BY id DESC"
        f"        LIMIT {MAX_EVENTS}) AS last)"
        " FROM messages m JOIN conversations c ON c.id = m.conversation_id"
        " WHERE m.id = $1 AND m.account_id = $2",
        id,
        account,
    )
    return f'{rows[0][0][:-1]},"events":{rows[0][1]}}}' if rows else None


def attachment(account: int, id: int, number: int) -> Mapping[str, Any] | None:
    """A message's attachment, the first being 1: {"url"}, or {"key", "name", "content_type", "size"}."""
    rows = run(
        "SELECT attachments -> $3::integer FROM messages WHERE id = $1 AND account_id = $2",
        *(id, account, number - 1),
    )
    return rows[0][0] if rows else None


def conversation(account: int, id: int) -> str | None:
    """The JSON text of a conversation (responses.Conversation)."""
    rows = run(f"SELECT {_CONVERSATION} FROM conversations c WHERE id = $1 AND account_id = $2", id, account)
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
    walk = ["conversations", address, type, updated_since and updated_since.isoformat()]
    values = Values()
    wanted = f"account_id = {values.bind(account)}"
    if type:
        wanted += f" AND '{type.value}' = ANY (types)"  # as its partial index has it
    if updated_since:
        wanted += f" AND last_message_at >= {values.bind(updated_since)}"
    if cursor:
        moment, id = cursors.decode(cursor, walk, cursors.parse_time, cursors.parse_id)
        wanted += f" AND (last_message_at, id) < ({values.bind(moment)}, {values.bind(id)})"
    newest = f"ORDER BY last_message_at DESC, id DESC LIMIT {values.bind(limit + 1)}"
    if address:
        # One walk a side, each along its own index; an OR would read them both to the end.
        own = values.bind(address)
        sides = (
            f"(SELECT id FROM conversations WHERE {wanted} AND {side}_address = {own} {newest})"
            for side in ("customer", "contact")
        )
        wanted += f" AND id IN ({' UNION ALL '.join(sides)})"
    rows = run(
        f"SELECT last_message_at, id, {_CONVERSATION} FROM conversations c WHERE {wanted} {newest}", *values
    )
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
    walk = ["messages", conversation_id, "desc" if newest_first else "asc"]
    after = cursors.decode(cursor, walk, cursors.parse_id)[0] if cursor else MAX_ID if newest_first else 0
    order, ahead, within = ("DESC", "<", ">=") if newest_first else ("ASC", ">", "<=")
    found = run(
        # A range and no equality, so that one index alone has this order: the primary key has it too within
        # one conversation, and would be read through all the others wherever this one is taken for a crowded
        # one.
        "WITH sizes AS ("
        "  SELECT id, size FROM messages"
        f"  WHERE (conversation_id, id) {ahead} ($1, $2) AND conversation_id {within} $1 AND account_id = $3"
        f"  ORDER BY conversation_id {order}, id {order} LIMIT $4::integer + 1"
        "), running AS ("
        f"  SELECT id, sum(size + {ENVELOPE}) OVER (ORDER BY id {order}) AS bytes,"
        f"         row_number() OVER (ORDER BY id {order}) AS place, count(*) OVER () AS found"
        "  FROM sizes"
        f") SELECT running.found, m.id, {_MESSAGE}"
        " FROM conversations c"
        " LEFT JOIN running"
        f"   ON running.place <= $4 AND (running.place = 1 OR running.bytes <= {MAX_PAGE_BYTES})"
        " LEFT JOIN messages m ON m.id = running.id"
        f" WHERE c.id = $1 AND c.account_id = $3 ORDER BY m.id {order}",
        *(conversation_id, after, account, limit),
    )
    if not found:
        return None
    rows = [row for row in found if row[1] is not None]
    more = bool(rows) and rows[0][0] > len(rows)
    last = rows[-1][1] if rows else after
    going_on = more or not newest_first
    return Page([row[2] for row in rows], cursors.encode(walk, last) if going_on else None)
