"""All figures in one run."""

import time
from collections.abc import Callable, Iterator, Sequence

from bench.figure import Figure
from bench.figures import cold, cost, delivery, growth, latency, powertools, throughput, trips, writes
from bench.harness.stage import FOLDER, Stage, stage
from bench.report import record, table
from bench.report.record import Record

SUBJECTS: dict[str, Callable[[Stage], Iterator[Figure]]] = {
    "trips": trips.figures,
    "throughput": throughput.figures,
    "latency": latency.figures,
    "growth": growth.figures,
    "writes": writes.figures,
    "cold": cold.figures,
    "delivery": delivery.figures,
    "powertools": powertools.figures,
}


def run(subjects: Sequence[str], say: Callable[[str], None]) -> int:
    """0 where it ran: a figure that misses its mark is told, and is no failure."""
    began = time.monotonic()
    figures: list[Figure] = []
    with stage(say) as ground:
        for subject in subjects or SUBJECTS:
            say(f"{time.monotonic() - began:4.0f} s  {subject}")
            figures += SUBJECTS[subject](ground)
    say(f"{time.monotonic() - began:4.0f} s  done")
    say(table.text(figures))
    say("\n".join(record.shares(figures)))
    if not subjects or "latency" in subjects:
        say(cost.text(figures))
    if not subjects:
        Record.of(figures).write(FOLDER)
        say(f"Written: {FOLDER / 'figures.json'}, {FOLDER / 'figures.svg'}")
    return 0
