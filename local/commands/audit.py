"""Checks the pinned packages for known vulnerabilities: pip-audit asks OSV (https://osv.dev)."""

import json
from urllib.request import Request, urlopen

SERVICE = "https://api.osv.dev/v1/query"
TIMEOUT_SECONDS = 5
PINS = ("requirements.txt", "bench/harness/requirements.txt")
"""The first file includes the pins of every other file."""


def reachable(service: str = SERVICE) -> bool:
    """Whether OSV answers a query. A proxy's error page does not count."""
    query = {"package": {"name": "pip", "ecosystem": "PyPI"}, "version": "26.0"}
    try:
        request = Request(service, json.dumps(query).encode())
        with urlopen(request, timeout=TIMEOUT_SECONDS) as response:
            return isinstance(json.load(response), dict)
    except (OSError, ValueError):
        return False


def command(*pins: str, service: str = SERVICE) -> tuple[str, ...]:
    """Return the arguments after `python -m`. pip-audit checks the pinned versions, and installs nothing."""
    arguments = ["pip_audit", "--no-deps", "--disable-pip", "--progress-spinner", "off"]
    arguments += ["--vulnerability-service", "osv", "--osv-url", service]
    arguments += ["--timeout", str(TIMEOUT_SECONDS)]
    for file in pins or PINS:
        arguments += ["-r", file]
    return tuple(arguments)
