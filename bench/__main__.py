"""`python -m bench` measures all subjects, or the ones that you name. `load` sends load to the functions over
HTTP. `publish` writes the last complete run to docs/benchmarks.md. `readers` compares this service with other
readers of email, and writes the table in docs/mail.md."""

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "layers" / "messaging"))
os.environ["POWERTOOLS_LOG_LEVEL"] = "ERROR"  # in this process only: the functions log as in a deployment


def main() -> int:
    from bench.figures import load  # they import the layer, whose path is set above
    from bench.readers import comparison
    from bench.report import run
    from bench.report.record import Record

    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "subjects", nargs="*", help=f"any of {', '.join(run.SUBJECTS)}; or load, publish, or readers"
    )
    subjects = parser.parse_args().subjects
    if subjects == ["load"]:
        return load.run(_say)
    if subjects == ["publish"]:
        Record.last().publish()
        return 0
    if subjects == ["readers"]:
        return comparison.run(_say)
    if unknown := set(subjects) - run.SUBJECTS.keys():
        parser.error(f"unknown subjects: {', '.join(sorted(unknown))}")
    return run.run(subjects, _say)


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
