"""All figures in one run."""

import time
from collections.abc import Callable, Iterator, Sequence

from bench.figure import Figure
from bench.figures import cold, cost, delivery, growth, latency, powertools, throughput, trips, writes
from bench.harness.testbed import FOLDER, Testbed, open_testbed
from bench.report import record, table
from bench.report.record import Record

SUBJECTS: dict[str, Callable[[Testbed], Iterator[Figure]]] = {
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
    """Measure and print the figures. Returns 0 even if a figure misses its target."""
    started = time.monotonic()
    figures: list[Figure] = []
    with open_testbed(say) as testbed:
        for subject in subjects or SUBJECTS:
            say(f"{time.monotonic() - started:4.0f} s  {subject}")
            figures += SUBJECTS[subject](testbed)
    say(f"{time.monotonic() - started:4.0f} s  done")
    say(table.text(figures))
    say("\n".join(record.shares(figures)))
    if not subjects or "latency" in subjects:
        say(cost.text(figures))
    if not subjects:
        Record.of(figures).write(FOLDER)
        say(f"Written: {FOLDER / 'figures.json'}, {FOLDER / 'figures.svg'}")
    return 0
