"""`python -m bench`: measures all subjects, or those that are named, and writes what README shows."""

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "layers" / "messaging"))
os.environ["POWERTOOLS_LOG_LEVEL"] = "ERROR"  # here: the functions' own processes log as they are deployed


def main() -> int:
    from bench import load, run  # behind the layer, which they find there

    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "subjects", nargs="*", help=f"of {', '.join(run.SUBJECTS)}; or load alone: the functions over HTTP"
    )
    parser.add_argument(
        "--publish", action="store_true", help="writes bench/figures.* and README's tables, not .local/bench"
    )
    arguments = parser.parse_args()
    if arguments.subjects == ["load"]:
        return load.run(_say)
    if unknown := set(arguments.subjects) - run.SUBJECTS.keys():
        parser.error(f"no subject: {', '.join(sorted(unknown))}")
    return run.run(arguments.subjects, _say, publish=arguments.publish)


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
