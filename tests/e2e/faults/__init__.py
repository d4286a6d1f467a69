"""Faults between the 202 and the last report, with real processes.

`make test` runs the short form. `make faults` runs the long form and prints its results as tables.
"""

import os

LONG = os.environ.get("FAULTS") == "long"
