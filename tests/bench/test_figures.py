"""What is told of the figures: the table, the picture and the costs."""

from xml.etree import ElementTree as ET

import pytest

from bench.figure import AT_LEAST, AT_MOST, EXACTLY, Figure, of_rounds
from bench.figures import cost, imports, latency, throughput
from bench.harness import rounds
from bench.report import picture, table


@pytest.mark.parametrize(
    ("wanted", "value", "missed"),
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
def test_a_figure_misses_its_mark(
    wanted: tuple[str, float] | None, value: float | None, missed: bool
) -> None:
    assert Figure("it", value, wanted=wanted).missed is missed


def test_the_table_says_what_missed_and_what_was_not_measured() -> None:
    told = table.text(
        [
            of_rounds("slow", [3, 1, 2], unit="x", wanted=(AT_MOST, 1.5), p50=1.234),
            Figure("unknown", None, wanted=(AT_LEAST, 0.45), note="there is no pgbench"),
        ]
    )
    assert "| slow | **2 x** | <= 1.5 | 1.23 |  |  |  |" in told
    assert "| unknown | not measured | >= 0.45 |  |  |  | there is no pgbench |" in told
    assert told.endswith("Missed: slow\nNot measured: unknown, there is no pgbench")


def test_contenders_take_turns_and_warm_up() -> None:
    order: list[str] = []
    gave = rounds.in_turn({name: lambda name=name: order.append(name) or name for name in "ab"}, 2)  # type: ignore[misc,func-returns-value]  # of defaults; append gives None
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert gave == {"a": ["a", "a"], "b": ["b", "b"]}


def test_the_picture_has_a_bar_for_each() -> None:
    figures = [
        Figure(throughput.NAME.format("1 connection"), 0.5, bars={"this": 1000, "pgbench": 2000}),
        Figure(latency.WEBHOOK_NAME, 1.5, bars={"this": 3, "barest": 2}),
        Figure(latency.NAIVE_NAME, 10, bars={"naive": 20, "barest": 2}),
    ]
    drawn = ET.fromstring(picture.svg(figures))
    bars = [one for one in drawn if one.tag.endswith("rect")][1:]
    assert [one.get("fill") for one in bars].count(picture.COLOURS["this"]) == 2
    widths = [int(one.get("width", "0")) for one in bars]
    assert widths[0] * 2 == widths[1] == max(widths)
    assert len(widths) == 5


def requests(milliseconds: float) -> list[Figure]:
    names = (latency.WEBHOOK_NAME, "report at 1 ms", "send at 1 ms", "delivery of one at 1 ms")
    return [Figure(name, 1, p50=milliseconds, cpu=0, more={"log": 0}) for name in names]


def test_costs_follow_what_was_measured() -> None:
    """Of a function of 1 GB a second costs a GB-second; what is billed beside it stays."""

    def time_of(figures: list[Figure]) -> float:
        [line] = [line for line in cost.rows(figures) if line.startswith("| Lambda, time")]
        return float(line.split("|")[3])

    assert time_of(requests(1000)) == pytest.approx(13.33, abs=0.01)
    assert time_of(requests(100)) == pytest.approx(1.33, abs=0.01)
    assert cost.rows([]) == ["The costs want the figures of throughput and latency."]


def test_imports_are_told_by_package() -> None:
    lines = list(imports.rows({"one": {"sqlalchemy": 20.4, "pydantic": 10}, "two": {"pydantic": 1}}))
    assert lines[0] == "| imports of, ms | sqlalchemy | pydantic | others | together |"
    assert lines[2:] == ["| one | 20 | 10 | 0 | 30 |", "| two | 0 | 1 | 0 | 1 |"]
