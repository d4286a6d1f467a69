"""Two providers of one channel: the second is tried if the first did not take the message, and the first is
skipped if it keeps failing."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from itertools import count
from typing import NamedTuple

import pytest

from local import Behaviour, Stack, running
from local.services import ports
from local.simulators.provider import ProviderSimulator
from tests.support.database import Database
from tests.support.faults.provider_outcomes import NEVER, SILENT
from tests.support.http_client import get
from tests.support.outbound import attempts, message, sent
from tests.support.waiting import eventually

OPENING_FAILURES = 10
"""Failed attempts in a row that open a circuit."""
BOTH_CLOSED, FIRST_OPEN = ["closed", "closed"], ["open", "closed"]
Ends = Sequence[tuple[int, str, str | None]]
REFUSED: Ends = [(1, "queued", "not_connected"), (2, "sent", None)]
BUSY: Ends = [(1, "queued", "503"), (2, "sent", None)]
SENT_AT_ONCE: Ends = [(1, "sent", None)]
UNKNOWN: Ends = [(1, "unknown", "no_answer")]
_contacts = count(1)


class Calls(NamedTuple):
    first: int
    second: int


class Deployment:
    """`first` has a port of its own and can be started and stopped; `second` is the stack's simulator."""

    def __init__(self, stack: Stack, port: int, database: Database) -> None:
        self.stack = stack
        self.first: ProviderSimulator | None = None
        self._port = port
        self._database = database
        stack.provider.behave(SILENT)

    @contextmanager
    def with_first(self) -> Iterator[ProviderSimulator]:
        secret = (self.stack.folder / "signing-secret").read_text()
        self.first = ProviderSimulator(self._port, self.stack.url, secret, instances={"first": "sms"})
        self.first.start()
        self.first.behave(SILENT)
        yield self.first
        self.first.stop()

    def send(self, number: int = 1) -> list[Ends]:
        """Send messages at once, to as many contacts. Returns the ends of the attempts, the fewest first."""
        return self.ends(self.accept(number))

    def accept(self, number: int = 1) -> list[int]:
        with ThreadPoolExecutor(number) as threads:
            contacts = [f"+1804557{next(_contacts):04}" for _ in range(number)]
            return list(threads.map(partial(sent, self.stack), contacts))

    def ends(self, ids: list[int]) -> list[Ends]:
        waiting = "SELECT count(*) FROM messages WHERE status IN ('queued', 'sending') AND id = ANY (:ids)"
        eventually(lambda: self._database.value(waiting, ids=ids) == 0, 30)
        return sorted((attempts(message(self.stack, id)) for id in ids), key=len)

    def send_one_by_one(self, number: int) -> list[Ends]:
        return [ends for _ in range(number) for ends in self.send()]

    def calls(self) -> Calls:
        """Return the number of calls since this method was last called."""
        providers = [self.first, self.stack.provider]
        calls = Calls(*(len(provider.requests) if provider else 0 for provider in providers))
        for provider in providers:
            if provider:
                provider.clear()
        return calls

    def circuits(self) -> list[str]:
        """Return the states of both circuits."""
        providers = get(f"{self.stack.url}/healthz?detail=true").body["providers"]
        assert [provider["name"] for provider in providers] == ["first", "second"]
        return [provider["circuit"] for provider in providers]

    def half_open(self) -> None:
        """Make open circuits half-open."""
        self._database.rows("UPDATE circuits SET open_until = clock_timestamp() WHERE open_until IS NOT NULL")
        assert self.circuits() == ["half_open", "closed"]


@pytest.fixture
def deployment() -> Iterator[Deployment]:
    port = ports.choose("127.0.0.1", 0, "")
    with (
        running(
            relay_every=0.5,
            concurrency=8,
            parameters={"Providers": "first=sms,second=sms"},
            without_status_lookup=["first"],
            provider_urls={"first": f"http://127.0.0.1:{port}/first"},
        ) as stack,
        closing(Database(stack.database_url)) as database,
    ):
        yield Deployment(stack, port, database)


def test_how_often_each_provider_is_called_while_the_first_fails_in_every_way(deployment: Deployment) -> None:
    # It refuses connections: each message goes to the second provider, until the circuit opens.
    assert deployment.send_one_by_one(OPENING_FAILURES) == [REFUSED] * OPENING_FAILURES
    assert (deployment.calls(), deployment.circuits()) == (Calls(0, OPENING_FAILURES), FIRST_OPEN)
    assert deployment.send(5) == [SENT_AT_ONCE] * 5
    assert deployment.calls() == Calls(0, 5)

    with deployment.with_first() as first:
        # It answers 503 with Retry-After: one of several messages tries it, then the second.
        first.behave(Behaviour(status=503, retry_after=600))
        deployment.half_open()
        assert deployment.send(5) == [*[SENT_AT_ONCE] * 4, BUSY]
        assert (deployment.calls(), deployment.circuits()) == (Calls(1, 5), FIRST_OPEN)

        # It works again, but slowly: while one message tries it, the others go to the second.
        first.behave(Behaviour(delay=9, reports=()))
        deployment.half_open()
        trial = deployment.accept()
        eventually(lambda: first.requests)
        assert deployment.send(2) == [SENT_AT_ONCE] * 2
        assert (deployment.calls(), deployment.circuits()) == (Calls(1, 2), FIRST_OPEN)
        first.behave(SILENT)
        assert deployment.ends(trial) == [SENT_AT_ONCE]
        assert deployment.circuits() == BOTH_CLOSED
        assert deployment.send(5) == [SENT_AT_ONCE] * 5
        assert deployment.calls() == Calls(5, 0)

        # It answers 503 again: five failures are half of the last ten.
        first.behave(Behaviour(status=503, retry_after=600))
        assert deployment.send_one_by_one(OPENING_FAILURES - 5) == [BUSY] * (OPENING_FAILURES - 5)
        assert (deployment.calls(), deployment.circuits()) == (
            Calls(OPENING_FAILURES - 5, OPENING_FAILURES - 5),
            FIRST_OPEN,
        )

        # It hangs: it may have taken each message, so the second provider gets none.
        first.behave(SILENT)
        deployment.half_open()
        assert deployment.send() == [SENT_AT_ONCE]
        first.behave(Behaviour(delay=NEVER, close="before"))
        deployment.calls()
        assert deployment.send(OPENING_FAILURES) == [UNKNOWN] * OPENING_FAILURES
        assert (deployment.calls(), deployment.circuits()) == (Calls(OPENING_FAILURES, 0), FIRST_OPEN)
        assert deployment.send(5) == [SENT_AT_ONCE] * 5
        assert deployment.calls() == Calls(0, 5)

    assert deployment.stack.log("DeliverMessage").count('"CircuitOpened":') == 4
