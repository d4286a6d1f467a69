"""Runs a command until the process that started this one closes our standard input.

Started as `python watcher.py <user or ''> <grace in seconds> <command> ...`. When standard input ends,
because the parent wants it or because the parent was killed, this asks the command to stop, and kills it
after the grace. A pipe is the only way to notice a dead parent that every system has. This runs by path and
without site-packages, so it cannot import anything of this project.
"""

import os
import signal
import subprocess
import sys
import threading

STOP: int = getattr(signal, "CTRL_BREAK_EVENT", signal.SIGINT)


def main(user: str, grace: str, *command: str) -> int:
    """Run the command and return its exit code."""
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

    def stop_when_input_ends() -> None:
        while os.read(0, 1024):
            pass
        ask_to_stop()
        try:
            child.wait(float(grace))
        except subprocess.TimeoutExpired:
            child.kill()

    signal.signal(signal.SIGTERM, lambda *_: ask_to_stop())
    threading.Thread(target=stop_when_input_ends, daemon=True).start()
    return child.wait()


def _group_of(user: str) -> int:
    if sys.platform == "win32":
        raise OSError("cannot run as another user on Windows")
    import pwd  # does not exist on Windows

    return pwd.getpwnam(user).pw_gid


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
