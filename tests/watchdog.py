"""End the processes that a test run has left behind, even if the run is killed.

python -m tests.watchdog MARK FOLDER
"""

import os
import select
import shutil
import signal
import sys
from contextlib import suppress
from pathlib import Path

MARK = "TESTS_RUN"
"""Environment variable that marks all processes of a run; nested runs append their mark."""

_LOOK_S = 1.0
"""Seconds between checks whether the run is still alive."""


def marked_processes(mark: str) -> list[int]:
    """Process IDs of all living processes that carry a run's mark, this one excepted."""
    wanted = mark.encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            variables = _read(entry / "environ").split(b"\0")
            own = next((variable for variable in variables if variable.startswith(MARK.encode() + b"=")), b"")
            if wanted in own.partition(b"=")[2].split(b"/"):
                found.append(int(entry.name))
    return sorted(found)


def _read(path: Path) -> bytes:
    """Content of a file below /proc; empty if its process has ended or belongs to another user."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def main() -> None:
    """Wait until the parent closes standard input or is gone; then end all marked processes and remove the folder."""
    mark, folder = sys.argv[1:]
    parent = os.getppid()
    while os.getppid() == parent and not select.select([sys.stdin], [], [], _LOOK_S)[0]:
        pass
    if os.getppid() == parent:
        sys.stdin.read()
    for process_id in marked_processes(mark):
        if process_id != parent:
            with suppress(ProcessLookupError):
                os.kill(process_id, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
