"""Random texts in the place of secrets and contents. Tests look for them where neither may be."""

from collections.abc import Iterator
from secrets import token_urlsafe

PART_LENGTH = 8
"""The length of a part that counts as a leak: 48 random bits, which nothing else contains by chance."""


class Marks:
    def __init__(self) -> None:
        self._texts: list[str] = []

    def new(self) -> str:
        """Return a random text that must not leak."""
        return self.add(token_urlsafe(18))

    def add(self, text: str) -> str:
        """Add a secret that was made elsewhere, and return it."""
        self._texts.append(text)
        return text

    def parts_in(self, text: str) -> set[str]:
        """Return the parts of marks that a text contains."""
        return {part for part in self._parts() if part in text}

    def _parts(self) -> Iterator[str]:
        for text in self._texts:
            for start in range(len(text) - PART_LENGTH + 1):
                yield text[start : start + PART_LENGTH]
