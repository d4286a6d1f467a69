"""Reads: single messages and conversations, and pages of them, as JSON that the database makes.

Pages are found by key, never by offset, so the last page costs as much as the first. Every function raises
problems.Unavailable if the database does not answer.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from messaging.models import MAX_ID, SCHEMA_REVISION, Channel
from messaging.postgres import cursor as cursors
from messaging.postgres.database import Values, run
from messaging.problems import Unavailable

MAX_PAGE_BYTES = 4_000_000
"""The most that the messages of a page may take. Lambda's responses are limited to 6 MB."""
MAX_EVENTS = 500
"""The most events that a message is shown with: a provider may report as often as it likes."""
ENVELOPE_BYTES = 1_000
"""What a message takes besides its content: ids, times, provider, status, error."""

_GET_MESSAGE = f"""
    SELECT message_json(m, c)::text,
           (SELECT coalesce(json_agg(event_json(last.e) ORDER BY (last.e).id), '[]')::text
              FROM (SELECT e FROM message_events e
                     WHERE e.message_id = m.id ORDER BY id DESC LIMIT {MAX_EVENTS}) AS last)
      FROM messages m JOIN conversations c ON c.id = m.conversation_id
     WHERE m.id = $1 AND m.account_id = $2
"""

_GET_ATTACHMENT = "SELECT attachments -> $3::integer FROM messages WHERE id = $1 AND account_id = $2"

_GET_CONVERSATION = """
    SELECT conversation_json(c)::text FROM conversations c WHERE id = $1 AND account_id = $2
"""

_LIST_CONVERSATIONS = """
    SELECT last_message_at, id, conversation_json(c)::text FROM conversations c WHERE {conditions} {order}
"""

# One subquery for each side, so that each follows its own index in the order of the page and ends early. An
# OR would read all conversations of both sides.
_EITHER_SIDE = """
    id IN ((SELECT id FROM conversations WHERE {conditions} AND customer_address = {address} {order})
           UNION ALL
           (SELECT id FROM conversations WHERE {conditions} AND contact_address = {address} {order}))
"""

# A page ends where its messages would exceed MAX_PAGE_BYTES, but has at least one. The LEFT JOINs return a
# row also for a conversation without messages, so that it differs from one that does not exist.
#
# The conditions on conversation_id are ranges instead of an equality, so that only one index has this order.
# With an equality the planner may read the primary key instead, through the messages of all other
# conversations, if it takes this one for a crowded one.
_LIST_MESSAGES = """
    WITH sizes AS (
        SELECT id, size FROM messages
         WHERE (conversation_id, id) {after} ($1, $2) AND conversation_id {up_to} $1 AND account_id = $3
         ORDER BY conversation_id {order}, id {order} LIMIT $4::integer + 1
    ), running AS (
        SELECT id,
               sum(size + {envelope}) OVER (ORDER BY id {order}) AS bytes,
               row_number() OVER (ORDER BY id {order}) AS place,
               count(*) OVER () AS available
          FROM sizes
    )
    SELECT running.available, m.id, message_json(m, c)::text
      FROM conversations c
      LEFT JOIN running ON running.place <= $4 AND (running.place = 1 OR running.bytes <= {max_bytes})
      LEFT JOIN messages m ON m.id = running.id
     WHERE c.id = $1 AND c.account_id = $3
     ORDER BY m.id {order}
"""
_SIZES = {"envelope": ENVELOPE_BYTES, "max_bytes": MAX_PAGE_BYTES}
_LIST_OLDEST_FIRST = _LIST_MESSAGES.format(order="ASC", after=">", up_to="<=", **_SIZES)
_LIST_NEWEST_FIRST = _LIST_MESSAGES.format(order="DESC", after="<", up_to=">=", **_SIZES)


class Page(NamedTuple):
    items: Sequence[str]
    """Each is the JSON text of one object."""
    next_cursor: str | None
    """Where the next page begins. None if there is no next page."""


def check_schema() -> None:
    """Raises Unavailable if the database does not answer or is not migrated to SCHEMA_REVISION."""
    revisions = [revision for (revision,) in run("SELECT version_num FROM alembic_version")]
    if revisions != [SCHEMA_REVISION]:
        raise Unavailable("The database is not migrated.")


def get_message(account: int, id: int) -> str | None:
    """Return the JSON of a responses.MessageWithEvents, with the last MAX_EVENTS events, oldest first."""
    rows = run(_GET_MESSAGE, id, account)
    if not rows:
        return None
    [(message, events)] = rows
    return f'{message[:-1]},"events":{events}}}'


def get_attachment(account: int, id: int, number: int) -> Mapping[str, Any] | None:
    """Return a message's attachment, the first being 1.

    It is {"url"}, or {"key", "name", "content_type", "size"} if the file is in the media bucket.
    """
    rows = run(_GET_ATTACHMENT, id, account, number - 1)
    return rows[0][0] if rows else None


def get_conversation(account: int, id: int) -> str | None:
    """Return the JSON of a responses.Conversation."""
    rows = run(_GET_CONVERSATION, id, account)
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
    """Return a page of responses.Conversation, those with the newest activity first.

    `address` may be the customer's or the contact's; `type` is that of any message. Raises Unreadable if the
    cursor is of a list with other filters.
    """
    walk = ["conversations", address, type, updated_since and updated_since.isoformat()]
    values = Values()
    conditions = f"account_id = {values.bind(account)}"
    if type:
        conditions += f" AND '{type.value}' = ANY (types)"  # as the predicate of its partial index has it
    if updated_since:
        conditions += f" AND last_message_at >= {values.bind(updated_since)}"
    if cursor:
        last_message_at, id = cursors.decode(cursor, walk, cursors.parse_time, cursors.parse_id)
        conditions += f" AND (last_message_at, id) < ({values.bind(last_message_at)}, {values.bind(id)})"
    order = f"ORDER BY last_message_at DESC, id DESC LIMIT {values.bind(limit + 1)}"
    if address:
        either_side = _EITHER_SIDE.format(conditions=conditions, order=order, address=values.bind(address))
        conditions += f" AND {either_side}"
    rows = run(_LIST_CONVERSATIONS.format(conditions=conditions, order=order), *values)
    items = [conversation for _, _, conversation in rows[:limit]]
    if len(rows) <= limit:
        return Page(items, None)
    last_message_at, id, _ = rows[limit - 1]
    return Page(items, cursors.encode(walk, last_message_at, id))


def list_messages(
    account: int,
    conversation_id: int,
    limit: int,
    cursor: str | None = None,
    *,
    newest_first: bool = False,
) -> Page | None:
    """Return a page of a conversation's responses.Message in the order in which they arrived.

    Oldest first, a page always has a cursor: used later, it returns the messages that came since. Returns
    None if there is no such conversation. Raises Unreadable if the cursor is of another list.
    """
    walk = ["messages", conversation_id, "desc" if newest_first else "asc"]
    if cursor:
        [after] = cursors.decode(cursor, walk, cursors.parse_id)
    else:
        after = MAX_ID if newest_first else 0
    statement = _LIST_NEWEST_FIRST if newest_first else _LIST_OLDEST_FIRST
    rows = run(statement, conversation_id, after, account, limit)
    if not rows:
        return None
    messages = [row for row in rows if row[1] is not None]
    has_more = False
    if messages:
        available, after, _ = messages[-1]
        has_more = available > len(messages)
    next_cursor = cursors.encode(walk, after) if has_more or not newest_first else None
    return Page([message for _, _, message in messages], next_cursor)
