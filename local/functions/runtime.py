"""The CPython version of the functions in AWS. `sam build` needs it, whichever version runs this code."""

import os
import shutil
import subprocess
from pathlib import Path

VERSION = "3.13"


def interpreter() -> Path | None:
    """Return the interpreter from PATH or from pyenv, or None if there is none."""
    name = f"python{VERSION}"
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for candidate in (shutil.which(name), *pyenv.glob(f"versions/{VERSION}.*/bin/{name}")):
        if candidate and _runs(candidate):
            return Path(candidate)
    return None


def _runs(candidate: str | Path) -> bool:
    """A pyenv shim exists even if its interpreter does not."""
    return subprocess.run([candidate, "--version"], check=False, capture_output=True).returncode == 0
