"""The functions as they are served here, over HTTP: webhooks by Locust, from one client and from eight.

It measures the stand-in for API Gateway and Lambda too, which is Python and shares the machine: what is to be
seen here is that nothing fails, and what may be expected of `make start`.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.harness.stage import FOLDER
from local.commands.openapi import ROOT
from local.stack import Stack, running

LOADER = "locust==2.47.0"
FILE = Path(__file__).parents[1] / "harness" / "locustfile.py"
SECONDS, WARM_UP = 15, 5
CLIENTS = (1, 8)


def run(say: Callable[[str], None]) -> int:
    """1 where a request failed."""
    folder = FOLDER / LOADER
    if not folder.exists():
        say(f"Installing {LOADER}")
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, "--target", str(folder), LOADER], check=True, capture_output=True)
    failed = 0
    with running(concurrency=max(CLIENTS)) as stack:
        say("| clients | request | a second | p50 ms | p99 ms | failures |\n|---|---|---|---|---|---|")
        for clients in CLIENTS:
            _load(stack, folder, clients, WARM_UP)
            for told in _load(stack, folder, clients, SECONDS):
                failed += told["num_failures"]
                say(_row(clients, told))
    return 1 if failed else 0


def _load(stack: Stack, folder: Path, clients: int, seconds: int) -> list[dict[str, Any]]:
    number = str(clients)
    command = [sys.executable, "-m", "locust", "--headless", "--json", "--only-summary", "--skip-log"]
    command += ["-f", str(FILE), "-H", stack.url, "-u", number, "-r", number, "-t", f"{seconds}s"]
    secret = (stack.folder / "signing-secret").read_text()
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (folder, ROOT))), "SECRET": secret}
    done = subprocess.run(list(map(str, command)), env=variables, capture_output=True, text=True, check=False)
    if not done.stdout.strip():
        raise RuntimeError(f"{LOADER}: {done.stderr}")
    told: list[dict[str, Any]] = json.loads(done.stdout)
    return told


def _row(clients: int, told: dict[str, Any]) -> str:
    times = sorted((float(ms), number) for ms, number in told["response_times"].items())
    seconds = told["last_request_timestamp"] - told["start_time"]
    rate = told["num_requests"] / seconds
    cells = [clients, told["name"], f"{rate:,.0f}", _percentile(times, 0.5), _percentile(times, 0.99)]
    return f"| {' | '.join(map(str, cells))} | {told['num_failures']} |"


def _percentile(times: list[tuple[float, int]], share: float) -> float:
    left = share * sum(number for _, number in times)
    for milliseconds, number in times:
        left -= number
        if left <= 0:
            return milliseconds
    return 0
