"""From queued to sent: messages a second, to a provider that takes its time to answer."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from itertools import count
from queue import Empty
from threading import Event, Thread

from bench.figure import Figure, middle, of_rounds
from bench.harness.database import Database
from bench.harness.environment import Environment, several
from bench.harness.rounds import in_turn
from bench.harness.stage import Stage, records
from local.simulators.behaviour import Behaviour

ANSWER = 0.1  # seconds
BATCH = 10  # as the event source mapping has it
MESSAGES = {1: 160, 4: 480}
"""By how many environments deliver."""
TOGETHER = 4
"""Messages of a conversation, where several are in one: they go out one after the other."""

PATIENCE = 60  # seconds
LEFT = "SELECT count(*) FROM messages WHERE status <> 'sent'"

_contacts = count(1)


def figures(stage: Stage) -> Iterator[Figure]:
    stage.provider.behave(Behaviour(delay=ANSWER, reports=()))
    with ExitStack() as undo:
        database = undo.enter_context(stage.server.database("delivery"))
        lambdas = undo.enter_context(
            several(max(MESSAGES), stage.runtime, "deliver_message", stage.variables(database.url))
        )
        contenders: dict[str, Callable[[], float]] = {}
        for environments in MESSAGES:
            for each in (1, TOGETHER):
                contenders[f"{environments} {each}"] = partial(
                    _deliver, stage, database, lambdas[:environments], each
                )
        gave = in_turn(contenders)
        for environments in MESSAGES:
            plural = "" if environments == 1 else "s"
            ordered = middle(gave[f"{environments} {TOGETHER}"])
            yield of_rounds(
                f"messages a second from queued to sent, {environments} environment{plural}",
                gave[f"{environments} 1"],
                unit="/s",
                note=f"of {environments * BATCH / ANSWER:,.0f}; {ordered:,.0f}, {TOGETHER} to a conversation",
            )
        yield _stored(database)
    stage.provider.behave()


def _deliver(stage: Stage, database: Database, lambdas: list[Environment], each: int) -> float:
    """Messages a second; each environment takes up to ten ids that are there, as Lambda hands them over."""
    number = MESSAGES[len(lambdas)]
    contacts = [next(_contacts) for _ in range(number // each)]
    first = database.queue(contacts)
    for _ in range(each - 1):
        database.queue(contacts)
    while not stage.aws.queued.empty():
        stage.aws.queued.get()
    for id in first:
        stage.aws.queued.put(str(id))
    done = Event()
    polling = [Thread(target=_poll, args=(stage, one, done)) for one in lambdas]
    began = time.perf_counter()
    for one in polling:
        one.start()
    while database.value(LEFT) and time.perf_counter() < began + PATIENCE:
        time.sleep(0.01)
    taken = time.perf_counter() - began
    done.set()
    for one in polling:
        one.join()
    if left := database.value(LEFT):
        raise RuntimeError(f"{left} of {number} messages were not sent")
    return number / taken


def _poll(stage: Stage, environment: Environment, done: Event) -> None:
    while not done.is_set():
        ids: list[int] = []
        with suppress(Empty):
            ids.append(int(stage.aws.queued.get(timeout=0.05)))
            while len(ids) < BATCH:
                ids.append(int(stage.aws.queued.get_nowait()))
        if ids:
            environment.prepare(records(ids))
            environment.run()


def _stored(database: Database) -> Figure:
    """A message, its attempt and what that left among its events; reports add an event each."""
    database.settle()
    kept = database.bytes("messages", "attempts", "message_events", "provider_message_ids")
    return Figure(
        "bytes kept of a sent message, with indexes",
        kept / database.value("SELECT count(*) FROM messages"),
        "bytes",
        note="with its attempt and an event",
    )
