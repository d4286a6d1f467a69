"""Texts that nothing else holds, put where secrets and words go, and sought where neither may."""

from collections.abc import Iterable
from secrets import token_urlsafe

PART = 8
"""Characters that are as good as the whole: 48 random bits, which nothing else happens to hold."""


class Marks:
    def __init__(self) -> None:
        self._made: list[str] = []

    def new(self) -> str:
        return self.known(token_urlsafe(18))

    def known(self, text: str) -> str:
        """One that somebody else has made."""
        self._made.append(text)
        return text

    def parts_in(self, text: str) -> set[str]:
        return {part for part in self._parts(self._made) if part in text}

    @staticmethod
    def _parts(texts: Iterable[str]) -> Iterable[str]:
        for text in texts:
            yield from (text[start : start + PART] for start in range(len(text) - PART + 1))
