"""The CPython of the functions' Runtime, which `sam build` wants beside the one that runs us."""

import os
import shutil
import subprocess
from pathlib import Path

VERSION = "3.13"


def interpreter() -> Path | None:
    """On PATH or from pyenv; None where there is none, and the built template cannot be tried."""
    name = f"python{VERSION}"
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for candidate in (shutil.which(name), *pyenv.glob(f"versions/{VERSION}.*/bin/{name}")):
        if candidate and _runs(candidate):
            return Path(candidate)
    return None


def _runs(candidate: str | Path) -> bool:
    """A shim of pyenv's is there also where what it stands for is not."""
    return subprocess.run([candidate, "--version"], check=False, capture_output=True).returncode == 0
