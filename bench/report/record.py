"""The record of a run, and its section of docs/benchmarks.md."""

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import psutil

from bench.figure import Figure
from bench.figures import cost, imports
from bench.harness.testbed import FOLDER
from bench.report import picture, table

PUBLISHED = Path(__file__).parents[1]
DOCUMENT = PUBLISHED.parent / "docs" / "benchmarks.md"
PICTURE = "../bench/figures.svg"
BEGIN, END = "<!-- figures: make bench PUBLISH=yes -->\n", "<!-- end of figures -->\n"


@dataclass(frozen=True)
class Record:
    at: str
    on: str
    """The machine."""
    figures: Sequence[Figure]

    @classmethod
    def of(cls, figures: Sequence[Figure]) -> Self:
        cores, memory = psutil.cpu_count(), psutil.virtual_memory().total / 2**30
        machine = f"{cores} cores ({platform.machine()}), {memory:.0f} GiB, {platform.system()}"
        return cls(datetime.now(UTC).isoformat(timespec="seconds"), machine, figures)

    @classmethod
    def last(cls) -> Self:
        """Return the last complete run. Raises FileNotFoundError if there is none."""
        record = json.loads((FOLDER / "figures.json").read_text(encoding="utf-8"))
        figures = [Figure(**_fields(saved)) for saved in record["figures"]]
        return cls(record["at"], record["on"], figures)

    def write(self, folder: Path) -> None:
        figures = [asdict(figure) | {"missed": figure.missed} for figure in self.figures]
        record = {"at": self.at, "on": self.on, "figures": figures}
        (folder / "figures.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        (folder / "figures.svg").write_text(picture.svg(self.figures), encoding="utf-8")

    def publish(self) -> None:
        """Write the files of this package, and the section between the two marks of the document."""
        self.write(PUBLISHED)
        before, _, section_and_after = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
        _, _, after = section_and_after.partition(END)
        DOCUMENT.write_text(f"{before}{BEGIN}\n{self.text()}\n{END}{after}", encoding="utf-8")

    def text(self) -> str:
        """Return the section in Markdown."""
        lines = [
            f"![Webhooks and cold starts beside their limits]({PICTURE})",
            "",
            f"Measured on {datetime.fromisoformat(self.at):%d %B %Y}, {self.on}; what missed is bold.",
            "",
            *table.rows(self.figures),
            *shares(self.figures),
            "",
            *cost.rows(self.figures),
            "",
            "<details><summary>Inputs of the costs</summary>",
            "",
            *cost.inputs(self.figures),
            "",
            "</details>",
        ]
        return "\n".join(lines) + "\n"


def shares(figures: Sequence[Figure]) -> list[str]:
    """Return the table of imports of the cold starts, if they were measured."""
    by_figure = {figure.name: figure.more["imports"] for figure in figures if "imports" in figure.more}
    return ["", *imports.rows(by_figure)] if by_figure else []


def _fields(saved: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a Figure from its JSON."""
    target = saved["wanted"]
    fields = {name: value for name, value in saved.items() if name != "missed"}
    return fields | {"wanted": tuple(target) if isinstance(target, list) else None}
