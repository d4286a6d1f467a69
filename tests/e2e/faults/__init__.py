"""What goes wrong between 202 and the provider's last word, with real processes.

`make test` runs the short form; `make faults` the long one, which prints what became of it in tables.
"""

import os

LONG = os.environ.get("FAULTS") == "long"
