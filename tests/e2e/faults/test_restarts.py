"""Postgres restarts again and again under load in both directions: what was answered 2xx is stored once."""

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
CLIENTS = 4  # that send, and as many that post webhooks
BETWEEN = 20
"""Requests of each kind between two restarts."""
UNFINISHED = "SELECT count(*) FROM messages WHERE status IN ('queued', 'sending')"


class Load:
    """Clients that send with idempotency keys, and providers that post. Both repeat requests answered 503."""

    def __init__(self, stack: Stack, contact: str) -> None:
        self._stack = stack
        self._contact = contact
        self._numbers = count()
        self._stopped = Event()
        self.sent: list[int] = []
        self.received: list[str] = []
        self.refused = 0

    def run(self, during: Callable[[], None]) -> None:
        with ThreadPoolExecutor(2 * CLIENTS) as threads:
            working = [threads.submit(work) for work in (self._send, self._receive) * CLIENTS]
            try:
                during()
            finally:
                self._stopped.set()
        for future in working:
            future.result()

    def wait_for_requests(self) -> None:
        """Return when another BETWEEN requests of each kind are done."""
        sent, received = len(self.sent) + BETWEEN, len(self.received) + BETWEEN
        eventually(lambda: len(self.sent) >= sent and len(self.received) >= received, 60)

    def _send(self) -> None:
        while not self._stopped.is_set():
            key = f"{self._contact}-{next(self._numbers)}"
            self.sent.append(self._done(partial(send, self._stack, self._contact, key)).body["id"])

    def _receive(self) -> None:
        while not self._stopped.is_set():
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


def test_accepted_messages_survive_restarts_of_postgres_once(faulty_stack: Stack, contact: str) -> None:
    load = Load(faulty_stack, contact)

    def restart() -> None:
        for _ in range(RESTARTS):
            load.wait_for_requests()
            faulty_stack.stop_postgres()
            faulty_stack.start_postgres()
        load.wait_for_requests()

    load.run(restart)
    with closing(Database(faulty_stack.database_url)) as database:
        own = "FROM messages m JOIN conversations c ON c.id = m.conversation_id WHERE c.contact_address = :to"
        inbound = f"SELECT id_at_provider(m) {own} AND direction = 'inbound'"
        outbound = f"SELECT m.id, status {own} AND direction = 'outbound'"
        eventually(lambda: len(database.rows(inbound, to=contact)) >= len(load.received), 60)
        eventually(lambda: database.value(UNFINISHED) == 0, 60)
        received = [str(id) for [id] in database.rows(inbound, to=contact)]
        statuses = {int(str(id)): str(status) for id, status in database.rows(outbound, to=contact)}
    calls = Counter(int(call.body["reference"]) for call in faulty_stack.provider.requests)
    rows = [
        ("restarts", "sent", "received", "refused and repeated"),
        (RESTARTS, len(load.sent), len(load.received), load.refused),
    ]
    result_tables.add("Postgres restarted under load", rows)
    assert sorted(received) == sorted(load.received)
    assert sorted(statuses) == sorted(load.sent)
    assert set(statuses.values()) <= {"sent", "delivered"}
    assert [calls[id] for id in load.sent] == [1] * len(load.sent)
