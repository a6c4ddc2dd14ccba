"""Resident memory of this process and its children."""

import os
from contextlib import suppress
from pathlib import Path

_PROCESSES = Path("/proc")


def resident_bytes() -> int:
    """Resident memory of this process and its children in bytes; 0 on systems other than Linux."""
    return sum(_resident_bytes(process) for process in ("self", *_children()))


def _children() -> list[str]:
    children: list[str] = []
    for file in _PROCESSES.glob("self/task/*/children"):
        with suppress(OSError):  # the thread has ended
            children += file.read_text().split()
    return children


def _resident_bytes(process: str) -> int:
    with suppress(OSError):  # the process has ended
        return int((_PROCESSES / process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0
