"""The figures as text: a table in Markdown, and a list of the figures that miss their targets."""

from collections.abc import Sequence

from bench.figure import Figure


def text(figures: Sequence[Figure]) -> str:
    return "\n".join(["", *rows(figures), "", *_missed(figures)])


def rows(figures: Sequence[Figure]) -> list[str]:
    head = ["| figure | reached | wanted | p50 ms | p99 ms | CPU ms | |", "|---|---|---|---|---|---|---|"]
    return head + [_row(figure) for figure in figures]


def _row(figure: Figure) -> str:
    target = f"{figure.wanted[0]} {_number(figure.wanted[1])}" if figure.wanted else ""
    reached = "not measured" if figure.value is None else f"{_number(figure.value)} {figure.unit}".strip()
    if figure.missed:
        reached = f"**{reached}**"
    times = [_number(time) for time in (figure.p50, figure.p99, figure.cpu)]
    return f"| {' | '.join([figure.name, reached, target, *times, figure.note])} |"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    if value == int(value) or value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _missed(figures: Sequence[Figure]) -> list[str]:
    missed = [f"Missed: {figure.name}" for figure in figures if figure.missed]
    missed += [f"Not measured: {figure.name}, {figure.note}" for figure in figures if figure.value is None]
    return missed or ["Every figure reaches its target"]
