"""Runs a command for as long as whoever started this holds the other end of standard input.

Started as `python watcher.py <user or ''> <seconds of grace> <command> ...`. When standard input ends, by a
request or because the other side was killed, the command is asked to stop, and killed once its grace is
over. A pipe is the one way of noticing a dead parent that every system has. Run by path and without
site-packages: it can import nothing of ours.
"""

import os
import signal
import subprocess
import sys
import threading

STOP: int = getattr(signal, "CTRL_BREAK_EVENT", signal.SIGINT)


def main(user: str, grace: str, *command: str) -> int:
    """Returns the command's exit code."""
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        user=user or None,
        group=_group_of(user) if user else None,
        extra_groups=[] if user else None,
    )

    def ask_to_stop() -> None:
        if child.poll() is None:
            child.send_signal(STOP)

    def stop_when_alone() -> None:
        while os.read(0, 1024):
            pass
        ask_to_stop()
        try:
            child.wait(float(grace))
        except subprocess.TimeoutExpired:
            child.kill()

    signal.signal(signal.SIGTERM, lambda *_: ask_to_stop())
    threading.Thread(target=stop_when_alone, daemon=True).start()
    return child.wait()


def _group_of(user: str) -> int:
    if sys.platform == "win32":
        raise OSError("there is no other user to run as")
    import pwd  # Windows has none

    return pwd.getpwnam(user).pw_gid


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
