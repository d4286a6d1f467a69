"""Load over HTTP on the functions as `make start` runs them: webhooks from one and from eight clients.

The simulated API Gateway and Lambda share the machine, so the rates are those of `make start`, not of AWS.
What counts is that no request fails.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.harness.testbed import FOLDER
from local.commands.openapi import ROOT
from local.stack import Stack, running

LOADER = "locust==2.47.0"
FILE = Path(__file__).parents[1] / "harness" / "locustfile.py"
SECONDS, WARM_UP = 15, 5
CLIENTS = (1, 8)


def run(say: Callable[[str], None]) -> int:
    """Return 1 if a request failed, or else 0."""
    folder = FOLDER / LOADER
    if not folder.exists():
        say(f"Installing {LOADER}")
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, "--target", str(folder), LOADER], check=True, capture_output=True)
    failed = 0
    with running(concurrency=max(CLIENTS)) as stack:
        say("| clients | request | per second | p50 ms | p99 ms | failures |\n|---|---|---|---|---|---|")
        for clients in CLIENTS:
            _load(stack, folder, clients, WARM_UP)
            for result in _load(stack, folder, clients, SECONDS):
                failed += result["num_failures"]
                say(_row(clients, result))
    return 1 if failed else 0


def _load(stack: Stack, folder: Path, clients: int, seconds: int) -> list[dict[str, Any]]:
    number = str(clients)
    command = [sys.executable, "-m", "locust", "--headless", "--json", "--only-summary", "--skip-log"]
    command += ["-f", str(FILE), "-H", stack.url, "-u", number, "-r", number, "-t", f"{seconds}s"]
    secret = (stack.folder / "signing-secret").read_text()
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (folder, ROOT))), "SECRET": secret}
    completed = subprocess.run(
        list(map(str, command)), env=variables, capture_output=True, text=True, check=False
    )
    if not completed.stdout.strip():
        raise RuntimeError(f"{LOADER}: {completed.stderr}")
    results: list[dict[str, Any]] = json.loads(completed.stdout)
    return results


def _row(clients: int, result: dict[str, Any]) -> str:
    times = sorted((float(ms), number) for ms, number in result["response_times"].items())
    seconds = result["last_request_timestamp"] - result["start_time"]
    rate = result["num_requests"] / seconds
    cells = [clients, result["name"], f"{rate:,.0f}", _percentile(times, 0.5), _percentile(times, 0.99)]
    return f"| {' | '.join(map(str, cells))} | {result['num_failures']} |"


def _percentile(times: list[tuple[float, int]], share: float) -> float:
    remaining = share * sum(number for _, number in times)
    for milliseconds, number in times:
        remaining -= number
        if remaining <= 0:
            return milliseconds
    return 0
