"""Fairness: the message of one account does not wait behind the thousands of another."""

from contextlib import closing

from local import Behaviour, running
from local.http.client import invoke
from tests.support.database import Database
from tests.support.waiting import eventually

MANY = 5000
BEFORE = 100
INSERT_MANY = """
SELECT count(accept_message(1, gen_random_uuid(), '{sms}', 'at_most_once', jsonb_build_object(
           'from', '+12016661234', 'to', '+1804' || lpad(number::text, 7, '0'), 'type', 'sms', 'body', 'many',
           'cc', '[]'::jsonb, 'headers', '{}'::jsonb, 'attachments', '[]'::jsonb,
           'timestamp', now()), NULL, NULL, NULL, NULL))
  FROM generate_series(1, :many) AS number
"""
INSERT_ONE = """
SELECT accept_message(2, gen_random_uuid(), '{sms}', 'at_most_once', jsonb_build_object(
           'from', '+12016660002', 'to', '+18045550000', 'type', 'sms', 'body', 'one',
           'cc', '[]'::jsonb, 'headers', '{}'::jsonb, 'attachments', '[]'::jsonb,
           'timestamp', now()), NULL, NULL, NULL, NULL)
"""


def test_a_message_of_a_small_account_does_not_wait_for_thousands_of_another() -> None:
    """Nothing was dispatched, so the relay finds all messages in the same round."""
    with running(relay_every=0.5, concurrency=2) as stack, closing(Database(stack.database_url)) as database:
        stack.provider.behave(Behaviour(delay=0.1, reports=()))
        for path, body in (
            ("accounts", {"name": "Shop"}),
            ("addresses", {"address": "+12016660002", "account_id": 2}),
        ):
            order = {"operator": f"POST /api/admin/{path}", "body": body}
            assert invoke(stack.lambda_url, "Admin", order)["statusCode"] == 201
        database.rows("BEGIN")  # the relay sees them all at the same time
        assert database.value(INSERT_MANY, many=MANY) == MANY
        database.rows(INSERT_ONE)
        database.rows("UPDATE outbound_queue SET dispatch_at = now()")
        database.rows("COMMIT")

        def bodies() -> list[str]:
            return [request.body["body"] for request in stack.provider.requests]

        eventually(lambda: "one" in bodies(), 60)
        assert bodies().index("one") < BEFORE
        assert database.value("SELECT count(*) FROM messages WHERE status = 'queued'") > MANY // 2  # type: ignore[operator]  # a number
