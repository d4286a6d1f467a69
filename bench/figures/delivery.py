"""Messages per second from queued to sent, with a provider that needs 100 ms to respond."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from itertools import count
from queue import Empty
from statistics import median
from threading import Event, Thread

from bench.figure import Figure, figure_of_rounds
from bench.harness.database import Database
from bench.harness.environment import Environment, start_environments
from bench.harness.rounds import run_in_turn
from bench.harness.testbed import Testbed, queue_event
from local.simulators.behaviour import Behaviour

RESPONSE_SECONDS = 0.1
BATCH = 10  # as in the event source mapping
MESSAGES = {1: 160, 4: 480}
"""How many messages to deliver, by the number of environments."""
PER_CONVERSATION = 4
"""Messages of one conversation, which are delivered one after the other."""

WAIT_SECONDS = 60
UNSENT = "SELECT count(*) FROM messages WHERE status <> 'sent'"

_contacts = count(1)


def figures(testbed: Testbed) -> Iterator[Figure]:
    testbed.provider.behave(Behaviour(delay=RESPONSE_SECONDS, reports=()))
    with ExitStack() as undo:
        database = undo.enter_context(testbed.server.database("delivery"))
        lambdas = undo.enter_context(
            start_environments(
                max(MESSAGES), testbed.runtime, "deliver_message", testbed.variables(database.url)
            )
        )
        contenders: dict[str, Callable[[], float]] = {}
        for environments in MESSAGES:
            for per_conversation in (1, PER_CONVERSATION):
                contenders[f"{environments} {per_conversation}"] = partial(
                    _deliver, testbed, database, lambdas[:environments], per_conversation
                )
        results = run_in_turn(contenders)
        for environments in MESSAGES:
            plural = "" if environments == 1 else "s"
            limit = environments * BATCH / RESPONSE_SECONDS
            ordered = median(results[f"{environments} {PER_CONVERSATION}"])
            yield figure_of_rounds(
                f"messages a second from queued to sent, {environments} environment{plural}",
                results[f"{environments} 1"],
                unit="/s",
                note=f"of {limit:,.0f}; {ordered:,.0f} with {PER_CONVERSATION} per conversation",
            )
        yield _stored(database)
    testbed.provider.behave()


def _deliver(
    testbed: Testbed, database: Database, lambdas: list[Environment], per_conversation: int
) -> float:
    """Return the messages per second. Each environment receives up to ten ids at once, as in Lambda."""
    number = MESSAGES[len(lambdas)]
    contacts = [next(_contacts) for _ in range(number // per_conversation)]
    first = database.queue(contacts)
    for _ in range(per_conversation - 1):
        database.queue(contacts)
    while not testbed.aws.queued.empty():
        testbed.aws.queued.get()
    for id in first:
        testbed.aws.queued.put(str(id))
    done = Event()
    pollers = [Thread(target=_poll, args=(testbed, environment, done)) for environment in lambdas]
    started = time.perf_counter()
    for poller in pollers:
        poller.start()
    while database.value(UNSENT) and time.perf_counter() < started + WAIT_SECONDS:
        time.sleep(0.01)
    seconds = time.perf_counter() - started
    done.set()
    for poller in pollers:
        poller.join()
    if unsent := database.value(UNSENT):
        raise RuntimeError(f"{unsent} of {number} messages were not sent")
    return number / seconds


def _poll(testbed: Testbed, environment: Environment, done: Event) -> None:
    while not done.is_set():
        ids: list[int] = []
        with suppress(Empty):
            ids.append(int(testbed.aws.queued.get(timeout=0.05)))
            while len(ids) < BATCH:
                ids.append(int(testbed.aws.queued.get_nowait()))
        if ids:
            environment.prepare(queue_event(ids))
            environment.run()


def _stored(database: Database) -> Figure:
    """The size of a sent message with its attempt. Each report adds an event."""
    database.settle()
    size = database.bytes("messages", "attempts", "message_events", "provider_message_ids")
    return Figure(
        "bytes of a sent message, with indexes",
        size / database.value("SELECT count(*) FROM messages"),
        "bytes",
        note="with its attempt and an event",
    )
