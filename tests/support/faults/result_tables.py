"""The tables that the long form prints at its end."""

from collections.abc import Iterator, Sequence

_TABLES: list[tuple[str, list[list[str]]]] = []


def add(title: str, rows: Sequence[Sequence[object]]) -> None:
    """Add a table. Its first row has the names of the columns."""
    _TABLES.append((title, [[str(cell) for cell in row] for row in rows]))


def printed() -> Iterator[str]:
    for title, rows in _TABLES:
        widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
        yield from ("", title, "")
        for row in rows:
            cells = zip(row, widths, strict=True)
            yield "  " + "  ".join(cell.rjust(w) if cell.isdigit() else cell.ljust(w) for cell, w in cells)
