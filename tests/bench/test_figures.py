"""The figures as a table, as a picture and as costs."""

from functools import partial
from xml.etree import ElementTree as ET

import pytest

from bench.figure import AT_LEAST, AT_MOST, EXACTLY, Figure, figure_of_rounds
from bench.figures import cost, imports, latency, throughput
from bench.harness import rounds
from bench.report import picture, table


@pytest.mark.parametrize(
    ("target", "value", "missed"),
    [
        ((AT_LEAST, 0.45), 0.44, True),
        ((AT_LEAST, 0.45), 0.45, False),
        ((AT_MOST, 1.8), 1.81, True),
        ((AT_MOST, 1.8), 1.8, False),
        ((EXACTLY, 1), 2, True),
        ((EXACTLY, 1), 1, False),
        ((EXACTLY, 1), None, False),
        (None, 3, False),
    ],
)
def test_a_figure_can_miss_its_target(
    target: tuple[str, float] | None, value: float | None, missed: bool
) -> None:
    assert Figure("it", value, wanted=target).missed is missed


def test_the_table_shows_figures_that_miss_or_were_not_measured() -> None:
    text = table.text(
        [
            figure_of_rounds("slow", [3, 1, 2], unit="x", wanted=(AT_MOST, 1.5), p50=1.234),
            Figure("unknown", None, wanted=(AT_LEAST, 0.45), note="there is no pgbench"),
        ]
    )
    assert "| slow | **2 x** | <= 1.5 | 1.23 |  |  |  |" in text
    assert "| unknown | not measured | >= 0.45 |  |  |  | there is no pgbench |" in text
    assert text.endswith("Missed: slow\nNot measured: unknown, there is no pgbench")


def test_contenders_take_turns_after_a_warm_up() -> None:
    order: list[str] = []

    def contender(name: str) -> str:
        order.append(name)
        return name

    results = rounds.run_in_turn({name: partial(contender, name) for name in "ab"}, 2)
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert results == {"a": ["a", "a"], "b": ["b", "b"]}


def test_the_picture_has_a_bar_for_each_value() -> None:
    figures = [
        Figure(throughput.NAME.format("1 connection"), 0.5, bars={"this": 1000, "pgbench": 2000}),
        Figure(latency.WEBHOOK_NAME, 1.5, bars={"this": 3, "barest": 2}),
        Figure(latency.NAIVE_NAME, 10, bars={"naive": 20, "barest": 2}),
    ]
    drawn = ET.fromstring(picture.svg(figures))
    bars = [element for element in drawn if element.tag.endswith("rect")][1:]
    assert [bar.get("fill") for bar in bars].count(picture.COLOURS["this"]) == 2
    widths = [int(bar.get("width", "0")) for bar in bars]
    assert widths[0] * 2 == widths[1] == max(widths)
    assert len(widths) == 5


def requests(milliseconds: float) -> list[Figure]:
    names = (latency.WEBHOOK_NAME, "report at 1 ms", "send at 1 ms", "delivery of one at 1 ms")
    return [Figure(name, 1, p50=milliseconds, cpu=0, more={"log": 0}) for name in names]


def test_costs_follow_the_measured_times() -> None:
    """A second of a function with 1 GB costs a GB-second. The other costs stay the same."""

    def time_of(figures: list[Figure]) -> float:
        [line] = [line for line in cost.rows(figures) if line.startswith("| Lambda, time")]
        return float(line.split("|")[3])

    assert time_of(requests(1000)) == pytest.approx(13.33, abs=0.01)
    assert time_of(requests(100)) == pytest.approx(1.33, abs=0.01)
    assert cost.rows([]) == ["The costs need the figures of throughput and latency."]


def test_imports_are_shown_by_package() -> None:
    lines = list(imports.rows({"one": {"sqlalchemy": 20.4, "pydantic": 10}, "two": {"pydantic": 1}}))
    assert lines[0] == "| imports of, ms | sqlalchemy | pydantic | others | total |"
    assert lines[2:] == ["| one | 20 | 10 | 0 | 30 |", "| two | 0 | 1 | 0 | 1 |"]
