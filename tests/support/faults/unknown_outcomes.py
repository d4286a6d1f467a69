"""Unknown outcomes that are resolved after seconds, in a stack whose clock cannot be moved."""

from contextlib import closing

from local import Stack
from tests.support.database import Database

UNKNOWN_AFTER = {"UnknownAfter": "60"}
"""The parameter with the shortest time that the template allows."""
TRIGGERS = """
CREATE FUNCTION age_attempt() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.ended_at := NEW.ended_at - interval '58 seconds';
    RETURN NEW;
END $$;
CREATE TRIGGER age_attempt BEFORE UPDATE ON attempts FOR EACH ROW
WHEN (NEW.outcome = 'unknown' AND OLD.outcome IS DISTINCT FROM 'unknown') EXECUTE FUNCTION age_attempt();

CREATE FUNCTION hasten_lookup() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM messages m WHERE m.id = NEW.message_id AND m.status = 'unknown') THEN
        NEW.next_attempt_at := clock_timestamp();
        NEW.dispatch_at := clock_timestamp();
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER hasten_lookup BEFORE INSERT ON outbound_queue FOR EACH ROW EXECUTE FUNCTION hasten_lookup();
"""


def resolve_after_two_seconds(stack: Stack) -> None:
    """Make every attempt without an answer look as if it had ended 58 seconds earlier."""
    with closing(Database(stack.database_url)) as database:
        database.rows(TRIGGERS)
