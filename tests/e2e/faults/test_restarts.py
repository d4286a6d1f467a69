"""Postgres is restarted, over and over, under messages both ways: what was answered 2xx is there, once."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from itertools import count
from threading import Event

from local import Stack
from tests.e2e.faults import LONG
from tests.support.database import Database
from tests.support.faults import result_tables
from tests.support.http_client import Answer, post
from tests.support.outbound import send
from tests.support.stack import CUSTOMER
from tests.support.waiting import eventually

RESTARTS = 10 if LONG else 2
CLIENTS = 4  # of either kind
BETWEEN = 20
"""Requests of either kind that are done between two restarts."""
LEFT = "SELECT count(*) FROM messages WHERE status IN ('queued', 'sending')"


class Load:
    """Clients who send, a key each time, and providers who post: both repeat what was answered 5xx."""

    def __init__(self, stack: Stack, contact: str) -> None:
        self._stack = stack
        self._contact = contact
        self._numbers = count()
        self._over = Event()
        self.sent: list[int] = []
        self.received: list[str] = []
        self.refused = 0

    def run(self, meanwhile: Callable[[], None]) -> None:
        with ThreadPoolExecutor(2 * CLIENTS) as threads:
            working = [threads.submit(work) for work in (self._send, self._receive) * CLIENTS]
            try:
                meanwhile()
            finally:
                self._over.set()
        for one in working:
            one.result()

    def grow(self) -> None:
        """Returns when a number of requests more are done."""
        sent, received = len(self.sent) + BETWEEN, len(self.received) + BETWEEN
        eventually(lambda: len(self.sent) >= sent and len(self.received) >= received, 60)

    def _send(self) -> None:
        while not self._over.is_set():
            key = f"{self._contact}-{next(self._numbers)}"
            self.sent.append(self._done(partial(send, self._stack, self._contact, key)).body["id"])

    def _receive(self) -> None:
        while not self._over.is_set():
            id = f"{self._contact}-{next(self._numbers)}"
            fields = {"from": self._contact, "to": CUSTOMER, "type": "sms", "messaging_provider_id": id}
            self._done(partial(post, f"{self._stack.url}/api/webhooks/sms", fields | {"body": "Hi"}))
            self.received.append(id)

    def _done(self, request: Callable[[], Answer]) -> Answer:
        def once() -> Answer | None:
            answer = request()
            assert answer.status in (200, 202, 503), answer
            if answer.status == 503:
                self.refused += 1
                return None
            return answer

        return eventually(once, 60)  # type: ignore[return-value]  # an answer is true


def test_what_was_answered_is_there_once_however_often_postgres_is_restarted(
    faulty_stack: Stack, contact: str
) -> None:
    load = Load(faulty_stack, contact)

    def restart() -> None:
        for _ in range(RESTARTS):
            load.grow()
            faulty_stack.stop_postgres()
            faulty_stack.start_postgres()
        load.grow()

    load.run(restart)
    with closing(Database(faulty_stack.database_url)) as database:
        own = "FROM messages m JOIN conversations c ON c.id = m.conversation_id WHERE c.contact_address = :to"
        inbound = f"SELECT provider_message_id {own} AND direction = 'inbound'"
        outbound = f"SELECT m.id, status {own} AND direction = 'outbound'"
        eventually(lambda: len(database.rows(inbound, to=contact)) >= len(load.received), 60)
        eventually(lambda: database.value(LEFT) == 0, 60)
        received = [str(id) for [id] in database.rows(inbound, to=contact)]
        statuses = {int(str(id)): str(status) for id, status in database.rows(outbound, to=contact)}
    calls = Counter(int(one.body["reference"]) for one in faulty_stack.provider.requests)
    rows = [
        ("restarts", "sent", "received", "refused and repeated"),
        (RESTARTS, len(load.sent), len(load.received), load.refused),
    ]
    result_tables.tell("Postgres restarted under load", rows)
    assert sorted(received) == sorted(load.received)
    assert sorted(statuses) == sorted(load.sent)
    assert set(statuses.values()) <= {"sent", "delivered"}
    assert [calls[id] for id in load.sent] == [1] * len(load.sent)
