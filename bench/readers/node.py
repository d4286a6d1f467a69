"""The two readers that run in Node.js: mailparser and postal-mime, as package-lock.json pins them."""

import json
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.readers.reader import Seen

FOLDER = Path(__file__).parent / "node"


def read_by_node(mails: Sequence[bytes]) -> Mapping[str, list[Seen | None]]:
    """Return what each reader shows of each mail, or None if it raised, by the reader's name and version.

    Installs the readers at the first call. Raises OSError if npm is not installed, and
    CalledProcessError if a command fails.
    """
    if not (FOLDER / "node_modules").exists():
        subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=FOLDER, check=True)
    written = json.dumps([b64encode(mail).decode() for mail in mails])
    read = subprocess.run(
        ["node", "read.js"], cwd=FOLDER, input=written.encode(), stdout=subprocess.PIPE, check=True
    )
    names = [f"{name} {_version(name)}" for name in ("mailparser", "postal-mime")]
    results = json.loads(read.stdout)
    return {name: [_seen(result[number]) for result in results] for number, name in enumerate(names)}


def _version(name: str) -> str:
    package = json.loads((FOLDER / "node_modules" / name / "package.json").read_text(encoding="utf-8"))
    return str(package["version"])


def _seen(fields: list[Any] | None) -> Seen | None:
    if fields is None:
        return None
    sender, subject, text, html, files = fields
    contents = tuple((name, b64decode(content)) for name, content in files)
    return Seen(sender, subject, text, html, contents)
