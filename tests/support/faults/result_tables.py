"""What the long form prints at its end."""

from collections.abc import Iterator, Sequence

_TOLD: list[tuple[str, list[list[str]]]] = []


def tell(title: str, rows: Sequence[Sequence[object]]) -> None:
    """A table, its first row the columns' names."""
    _TOLD.append((title, [[str(cell) for cell in row] for row in rows]))


def printed() -> Iterator[str]:
    for title, rows in _TOLD:
        widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
        yield from ("", title, "")
        for row in rows:
            cells = zip(row, widths, strict=True)
            yield "  " + "  ".join(cell.rjust(w) if cell.isdigit() else cell.ljust(w) for cell, w in cells)
