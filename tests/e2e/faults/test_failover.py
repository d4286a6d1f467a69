"""Two providers of one channel: the second is tried where the first provably did not take the message, and
the first is let alone once it keeps failing."""

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
from tests.support.faults.provider_outcomes import HANGS, SILENT
from tests.support.http_client import get
from tests.support.outbound import attempts, message, sent
from tests.support.waiting import eventually

OPENS = 10
"""Attempts in a row that open a circuit."""
WELL, LET_ALONE = ["closed", "closed"], ["open", "closed"]
Ends = Sequence[tuple[int, str, str | None]]
REFUSED: Ends = [(1, "queued", "not_connected"), (2, "sent", None)]
BUSY: Ends = [(1, "queued", "503"), (2, "sent", None)]
AT_ONCE: Ends = [(1, "sent", None)]
UNKNOWN: Ends = [(1, "unknown", "no_answer")]
_contacts = count(1)


class Calls(NamedTuple):
    first: int
    second: int


class Deployment:
    """`first` has a port of its own, at which it is or is not; `second` is the stack's provider."""

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
        """At once, to as many contacts; how the attempts of each ended, those with the fewest first."""
        return self.ends(self.begin(number))

    def begin(self, number: int = 1) -> list[int]:
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
        """Since they were last asked for."""
        providers = [self.first, self.stack.provider]
        found = Calls(*(len(provider.requests) if provider else 0 for provider in providers))
        for provider in providers:
            if provider:
                provider.clear()
        return found

    def circuits(self) -> list[str]:
        """Of the first and of the second."""
        providers = get(f"{self.stack.url}/healthz?detail=true").body["providers"]
        assert [provider["name"] for provider in providers] == ["first", "second"]
        return [provider["circuit"] for provider in providers]

    def let_time_pass(self) -> None:
        """Until an open circuit lets one attempt through."""
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


def test_who_is_called_how_often_while_the_first_provider_fails_in_every_way(deployment: Deployment) -> None:
    it = deployment

    # Refusing connections: each message goes on to the second, until the first is let alone.
    assert it.send_one_by_one(OPENS) == [REFUSED] * OPENS
    assert (it.calls(), it.circuits()) == (Calls(0, OPENS), LET_ALONE)
    assert it.send(5) == [AT_ONCE] * 5
    assert it.calls() == Calls(0, 5)

    with it.with_first() as first:
        # Answering 503, and asking for time: one of several messages tries it, and goes on at once.
        first.behave(Behaviour(status=503, retry_after=600))
        it.let_time_pass()
        assert it.send(5) == [*[AT_ONCE] * 4, BUSY]
        assert (it.calls(), it.circuits()) == (Calls(1, 5), LET_ALONE)

        # Well again, though slow: as long as one message tries it the others go elsewhere, and then to it.
        first.behave(Behaviour(delay=9, reports=()))
        it.let_time_pass()
        trial = it.begin()
        eventually(lambda: first.requests)
        assert it.send(2) == [AT_ONCE] * 2
        assert (it.calls(), it.circuits()) == (Calls(1, 2), LET_ALONE)
        first.behave(SILENT)
        assert it.ends(trial) == [AT_ONCE]
        assert it.circuits() == WELL
        assert it.send(5) == [AT_ONCE] * 5
        assert it.calls() == Calls(5, 0)

        # Answering 503 once more: five failures are half of the last ten.
        first.behave(Behaviour(status=503, retry_after=600))
        assert it.send_one_by_one(OPENS - 5) == [BUSY] * (OPENS - 5)
        assert (it.calls(), it.circuits()) == (Calls(OPENS - 5, OPENS - 5), LET_ALONE)

        # Hanging: it may have each of them, so nobody else gets it.
        first.behave(SILENT)
        it.let_time_pass()
        assert it.send() == [AT_ONCE]
        first.behave(Behaviour(delay=HANGS, close="before"))
        it.calls()
        assert it.send(OPENS) == [UNKNOWN] * OPENS
        assert (it.calls(), it.circuits()) == (Calls(OPENS, 0), LET_ALONE)
        assert it.send(5) == [AT_ONCE] * 5
        assert it.calls() == Calls(0, 5)

    assert it.stack.log("DeliverMessage").count('"CircuitOpened":') == 4
