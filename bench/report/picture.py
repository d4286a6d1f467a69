"""The figures as bars in SVG: this service beside its limit and the naive stack."""

from collections.abc import Iterator, Sequence
from html import escape

from bench.figure import Figure
from bench.figures import cold, latency, throughput

WIDTH, LEFT, RIGHT = 760, 110, 90
BAR, GAP, TITLE = 16, 4, 22
COLOURS = {"this": "#2f6f9f", "naive": "#c2c7cc"}
OTHER = "#8fb996"
"""The colour of limits."""
GROUPS = {
    throughput.NAME.format("1 connection"): "Webhooks a second, 1 connection: more is better",
    throughput.NAME.format("8 connections"): "Webhooks a second, 8 connections: more is better",
    latency.WEBHOOK_NAME: "A warm webhook at 1 ms from Postgres, ms: less is better",
    cold.NAME: "A cold start with its first webhook, ms: less is better",
}


def svg(figures: Sequence[Figure]) -> str:
    named = {figure.name: figure for figure in figures}
    naive = named.get(latency.NAIVE_NAME)
    parts: list[str] = []
    y = 10
    for name, title in GROUPS.items():
        if (figure := named.get(name)) is None or not figure.bars:
            continue
        bars = dict(figure.bars)
        if "barest" in bars and naive is not None:
            bars |= naive.bars
        parts += _group(title, bars, y)
        y += TITLE + len(bars) * (BAR + GAP) + 10
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" viewBox="0 0 {WIDTH} {y}"'
        ' font-family="system-ui, sans-serif" font-size="13" role="img" aria-label="What was measured">'
    )
    return "\n".join([head, f'<rect width="{WIDTH}" height="{y}" fill="#ffffff"/>', *parts, "</svg>\n"])


def _group(title: str, bars: dict[str, float], y: int) -> Iterator[str]:
    yield f'<text x="10" y="{y + 12}" font-weight="600" fill="#222">{escape(title)}</text>'
    longest = max(bars.values())
    for position, (name, value) in enumerate(bars.items()):
        top = y + TITLE + position * (BAR + GAP)
        width = max(round((WIDTH - LEFT - RIGHT) * value / longest), 1)
        yield f'<text x="{LEFT - 8}" y="{top + 12}" text-anchor="end" fill="#444">{escape(name)}</text>'
        fill = COLOURS.get(name, OTHER)
        yield f'<rect x="{LEFT}" y="{top}" width="{width}" height="{BAR}" rx="2" fill="{fill}"/>'
        yield f'<text x="{LEFT + width + 6}" y="{top + 12}" fill="#222">{_number(value)}</text>'


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
