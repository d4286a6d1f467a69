"""The functions' logs: a file for each function, and shortened lines for the terminal."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO

WIDTH = 160
SHOWN_FIELDS = ("level", "message", "message_id", "status", "exception_name")


class Logs:
    def __init__(self, folder: Path, show: Callable[[str], None]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._show = show
        self._files: dict[str, IO[str]] = {}
        self._lock = threading.Lock()

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def write(self, name: str, line: str) -> None:
        with self._lock:
            if name not in self._files:
                self._files[name] = self.path(name).open(
                    "w", encoding="utf-8", errors="backslashreplace", buffering=1
                )
            self._files[name].write(line + "\n")
        if short := shorten(line):
            self._show(f"{name}: {short}")

    def close(self) -> None:
        with self._lock:
            for file in self._files.values():
                file.close()
            self._files.clear()


def shorten(line: str) -> str:
    """Return a readable line for a JSON log record, and nothing for metrics and the inside of tracebacks."""
    try:
        record = json.loads(line) if line.startswith("{") else None
    except ValueError:
        record = None
    if isinstance(record, dict):
        if "_aws" in record:
            return ""
        line = " ".join(str(record[key]) for key in SHOWN_FIELDS if record.get(key))
    elif line.startswith(" ") or line == "Traceback (most recent call last):":
        return ""
    line = line.strip()
    return line if len(line) <= WIDTH else line[: WIDTH - 1] + "…"
