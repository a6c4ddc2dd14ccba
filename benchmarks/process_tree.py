"""Processes, their descendants, files and connections (Linux)."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_ESTABLISHED = "01"


def descendants(root: int) -> list[int]:
    """Ids of a running process and of all its descendants, the process itself first."""
    children: dict[int, list[int]] = {}
    for process, fields in _running():
        children.setdefault(int(fields[1]), []).append(process)
    tree = [root]
    for process in tree:
        tree += children.get(process, [])
    return tree


def session_members(session: int) -> list[int]:
    """Ids of the running processes of a session."""
    return [process for process, fields in _running() if int(fields[3]) == session]


def state(process: int) -> str:
    """State as a letter: ``R`` running, ``S`` asleep, ``T`` stopped, ``Z`` zombie; empty if there is no process."""
    return next(iter(_fields(process)), "")


def processor_seconds(root: int) -> float:
    """CPU seconds of a process and all its descendants."""
    # User and system time are fields 14 and 15 of stat; _fields lacks the first two, and counts from 0.
    ticks = sum(int(fields[11]) + int(fields[12]) for process in descendants(root) if (fields := _fields(process)))
    return ticks / os.sysconf("SC_CLK_TCK")


def command_line(process: int) -> list[str]:
    """Command line of a process, as a list of words; empty if it has ended."""
    try:
        return Path(f"/proc/{process}/cmdline").read_text().split("\0")[:-1]
    except (FileNotFoundError, ProcessLookupError):
        return []


def workers(supervisor: int) -> list[int]:
    """Ids of a supervisor's workers in ascending order, usually the oldest first."""
    return [process for process in sorted(descendants(supervisor)[1:]) if "app.server.worker" in command_line(process)]


def open_files(process: int) -> dict[Path, str]:
    """Path of each of a process's descriptors -> the file that it refers to; empty if the process has ended."""
    files = {}
    with suppress(FileNotFoundError, ProcessLookupError):
        for descriptor in Path(f"/proc/{process}/fd").iterdir():
            with suppress(FileNotFoundError):  # it was closed
                files[descriptor] = str(descriptor.readlink())
    return files


def connected_ports(process: int) -> set[int]:
    """Remote ports of a server process's established IPv4 connections."""
    sockets = set(open_files(process).values())
    # number, local address, remote address, state, queues, timer, retransmissions, user, timeout, inode, ...
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return {
        int(row[2].partition(":")[2], 16) for row in rows if row[3] == _ESTABLISHED and f"socket:[{row[9]}]" in sockets
    }


def _running() -> Iterator[tuple[int, list[str]]]:
    """Ids and fields of all processes but zombies."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and (fields := _fields(int(entry.name))) and fields[0] != "Z":
            yield int(entry.name), fields


def _fields(process: int) -> list[str]:
    """Fields of ``/proc/PID/stat`` from the state on; empty if there is no such process."""
    try:
        # pid (name) state parent group session ...; the name may contain anything, parentheses too
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []
