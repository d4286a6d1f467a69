"""All figures in one run, and what is written of them."""

import json
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from bench import (
    cold,
    cost,
    delivery,
    growth,
    imports,
    latency,
    picture,
    powertools,
    table,
    throughput,
    trips,
)
from bench.figure import Figure
from bench.stage import FOLDER, Stage, stage

SUBJECTS: dict[str, Callable[[Stage], Iterator[Figure]]] = {
    "trips": trips.figures,
    "throughput": throughput.figures,
    "latency": latency.figures,
    "growth": growth.figures,
    "cold": cold.figures,
    "delivery": delivery.figures,
    "powertools": powertools.figures,
}
OWN = Path(__file__).parent
README = OWN.parent / "README.md"
PICTURE = "bench/figures.svg"
BEGIN, END = "<!-- figures: make bench PUBLISH=yes -->\n", "<!-- end of figures -->\n"


def run(subjects: Sequence[str], say: Callable[[str], None], *, publish: bool) -> int:
    """0 where it ran: a figure that misses its mark is told, and is no failure."""
    began = time.monotonic()
    figures: list[Figure] = []
    with stage(say) as ground:
        for subject in subjects or SUBJECTS:
            say(f"{time.monotonic() - began:4.0f} s  {subject}")
            figures += SUBJECTS[subject](ground)
    say(f"{time.monotonic() - began:4.0f} s  done, on {_machine()}")
    say(table.text(figures))
    say("\n".join(_imports(figures)))
    if not subjects or "latency" in subjects:
        say(cost.text(figures))
    _write(figures, OWN if publish else FOLDER, say)
    if publish:
        _publish(figures)
    return 0


def _imports(figures: Sequence[Figure]) -> list[str]:
    shares = {figure.name: figure.more["imports"] for figure in figures if "imports" in figure.more}
    return ["", *imports.rows(shares)] if shares else []


def _write(figures: Sequence[Figure], folder: Path, say: Callable[[str], None]) -> None:
    measured: dict[str, Any] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "on": _machine(),
        "figures": [asdict(figure) | {"missed": figure.missed} for figure in figures],
    }
    for name, written in (
        ("figures.json", json.dumps(measured, indent=1) + "\n"),
        ("figures.svg", picture.svg(figures)),
    ):
        (folder / name).write_text(written, encoding="utf-8")
        say(f"Written: {folder / name}")


def _publish(figures: Sequence[Figure]) -> None:
    """Between its two marks, README's tables are these."""
    before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    told = [
        f"![Webhooks beside their limits]({PICTURE})",
        "",
        f"Measured on {_machine()}, {datetime.now(UTC):%d %B %Y}; what missed its mark is bold.",
        "",
        *table.rows(figures),
        *_imports(figures),
        "",
        *cost.rows(figures),
        "",
        "<details><summary>What the costs are made from</summary>",
        "",
        *cost.inputs(figures),
        "",
        "</details>",
        "",
    ]
    README.write_text(f"{before}{BEGIN}\n" + "\n".join(told) + f"\n{END}{after}", encoding="utf-8")


def _machine() -> str:
    cores, memory = psutil.cpu_count(), psutil.virtual_memory().total / 2**30
    return f"{cores} cores ({platform.machine()}), {memory:.0f} GiB, {platform.system()}"
