"""The time of a cold start: how long the imports of each package take, as CPython measures them."""

import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bench.harness.testbed import Testbed

LINE = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s*(\S+)")
"""A line of `python -X importtime`: the microseconds of a module itself, and its name."""
LARGEST = 9
COLD_START = Path(__file__).parents[1] / "harness" / "cold_start.py"


def shares(testbed: Testbed, start: object, variables: Mapping[str, str]) -> dict[str, float]:
    """Return the milliseconds by package, the largest first. `start` is the input of cold_start.py."""
    completed = subprocess.run(
        [testbed.runtime.python, "-I", "-B", "-X", "importtime", COLD_START],
        input=json.dumps(start) + "\n",
        env=dict(variables),
        capture_output=True,
        text=True,
        check=True,
    )
    packages = {entry.stem for folder in testbed.runtime.path for entry in folder.iterdir()} | {"app"}
    by_package: Counter[str] = Counter()
    for microseconds, module in LINE.findall(completed.stderr):
        package = module.partition(".")[0]
        by_package[package if package in packages else "Python's own"] += int(microseconds)
    return {package: microseconds / 1000 for package, microseconds in by_package.most_common()}


def rows(shares: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    """Return a table in Markdown, with a column for each of the packages that take the longest."""
    total: Counter[str] = Counter()
    for by_package in shares.values():
        total.update(by_package)
    packages: Sequence[str] = [package for package, _ in total.most_common(LARGEST)]
    yield f"| imports of, ms | {' | '.join(packages)} | others | total |"
    yield "|---" * (LARGEST + 3) + "|"
    for function, by_package in shares.items():
        shown = [by_package.get(package, 0) for package in packages]
        all_packages = sum(by_package.values())
        others = all_packages - sum(shown)
        cells = [f"{milliseconds:.0f}" for milliseconds in (*shown, others, all_packages)]
        yield f"| {function} | {' | '.join(cells)} |"
