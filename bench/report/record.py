"""What is kept of a run, and what docs/benchmarks.md shows of it."""

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
from bench.harness.stage import FOLDER
from bench.report import picture, table

OWN = Path(__file__).parents[1]
DOCUMENT = OWN.parent / "docs" / "benchmarks.md"
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
        """The last whole run. Raises FileNotFoundError where there was none."""
        kept = json.loads((FOLDER / "figures.json").read_text(encoding="utf-8"))
        return cls(kept["at"], kept["on"], [Figure(**_without_missed(one)) for one in kept["figures"]])

    def write(self, folder: Path) -> None:
        told = [asdict(figure) | {"missed": figure.missed} for figure in self.figures]
        kept = {"at": self.at, "on": self.on, "figures": told}
        (folder / "figures.json").write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
        (folder / "figures.svg").write_text(picture.svg(self.figures), encoding="utf-8")

    def publish(self) -> None:
        """Beside us, and between the two marks in the document."""
        self.write(OWN)
        before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
        _, _, after = rest.partition(END)
        DOCUMENT.write_text(f"{before}{BEGIN}\n{self.text()}\n{END}{after}", encoding="utf-8")

    def text(self) -> str:
        """In Markdown."""
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
            "<details><summary>What the costs are made from</summary>",
            "",
            *cost.inputs(self.figures),
            "",
            "</details>",
        ]
        return "\n".join(lines) + "\n"


def shares(figures: Sequence[Figure]) -> list[str]:
    """Of the cold starts, where they were measured."""
    found = {figure.name: figure.more["imports"] for figure in figures if "imports" in figure.more}
    return ["", *imports.rows(found)] if found else []


def _without_missed(told: dict[str, Any]) -> dict[str, Any]:
    wanted = told["wanted"]
    kept = {name: value for name, value in told.items() if name != "missed"}
    return kept | {"wanted": tuple(wanted) if isinstance(wanted, list) else None}
