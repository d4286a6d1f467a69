"""Whether something is known against what this project is built on, asked of OSV by pip-audit."""

import json
from urllib.request import Request, urlopen

SERVICE = "https://api.osv.dev/v1/query"
SECONDS = 5
PINS = ("requirements.txt", "bench/harness/requirements.txt")
"""The first holds also the pins of every other file."""


def reachable(service: str = SERVICE) -> bool:
    """Whether it answers a question from here: a proxy's page is no answer."""
    question = {"package": {"name": "pip", "ecosystem": "PyPI"}, "version": "26.0"}
    try:
        with urlopen(Request(service, json.dumps(question).encode()), timeout=SECONDS) as response:
            return isinstance(json.load(response), dict)
    except (OSError, ValueError):
        return False


def command(*pins: str, service: str = SERVICE) -> tuple[str, ...]:
    """What comes after `python -m`. It asks for the versions that are pinned, and resolves nothing."""
    files = (word for file in pins or PINS for word in ("-r", file))
    asked = ("--vulnerability-service", "osv", "--osv-url", service, "--timeout", str(SECONDS))
    return ("pip_audit", "--no-deps", "--disable-pip", "--progress-spinner", "off", *asked, *files)
