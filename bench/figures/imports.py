"""Where a cold start goes: what each package takes of a function's imports, by CPython's own account."""

import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bench.harness.stage import Stage

LINE = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s*(\S+)")
"""Microseconds of a module itself, and its name: `python -X importtime`."""
LARGEST = 9
FIRST = Path(__file__).parents[1] / "harness" / "first.py"


def shares(stage: Stage, order: object, variables: Mapping[str, str]) -> dict[str, float]:
    """Milliseconds by package until the function's answer, the largest first; `order` is for first.py."""
    done = subprocess.run(
        [stage.runtime.python, "-I", "-B", "-X", "importtime", FIRST],
        input=json.dumps(order) + "\n",
        env=dict(variables),
        capture_output=True,
        text=True,
        check=True,
    )
    packages = {entry.stem for folder in stage.runtime.path for entry in folder.iterdir()} | {"app"}
    taken: Counter[str] = Counter()
    for microseconds, module in LINE.findall(done.stderr):
        package = module.partition(".")[0]
        taken[package if package in packages else "Python's own"] += int(microseconds)
    return {package: microseconds / 1000 for package, microseconds in taken.most_common()}


def rows(shares: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    """A table in Markdown, with a column for each of the packages that take the most."""
    total: Counter[str] = Counter()
    for of_function in shares.values():
        total.update(of_function)
    packages: Sequence[str] = [package for package, _ in total.most_common(LARGEST)]
    yield f"| imports of, ms | {' | '.join(packages)} | others | together |"
    yield "|---" * (LARGEST + 3) + "|"
    for function, taken in shares.items():
        each = [taken.get(package, 0) for package in packages]
        rest = sum(taken.values()) - sum(each)
        cells = [f"{milliseconds:.0f}" for milliseconds in (*each, rest, sum(taken.values()))]
        yield f"| {function} | {' | '.join(cells)} |"
