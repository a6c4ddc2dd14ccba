"""Processes, what they started and what they are connected to (Linux)."""

import os
from contextlib import suppress
from pathlib import Path

_ESTABLISHED = "01"


def descendants(root: int) -> list[int]:
    """Ids of a running process and of all that it and they have started, the process itself first."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and (fields := _fields(int(entry.name))) and fields[0] != "Z":
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    tree = [root]
    for process in tree:
        tree += children.get(process, [])
    return tree


def state(process: int) -> str:
    """A letter: ``R`` running, ``S`` asleep, ``T`` stopped, ``Z`` ended; empty if there is none."""
    return next(iter(_fields(process)), "")


def processor_seconds(root: int) -> float:
    """Seconds of processors' time that a process and all that it started have taken."""
    # user and system time are the 14th and 15th of the fields, of which pid and name are not among these.
    ticks = sum(int(fields[11]) + int(fields[12]) for process in descendants(root) if (fields := _fields(process)))
    return ticks / os.sysconf("SC_CLK_TCK")


def command_line(process: int) -> list[str]:
    """The words that a process was started with; none if it has ended."""
    try:
        return Path(f"/proc/{process}/cmdline").read_text().split("\0")[:-1]
    except (FileNotFoundError, ProcessLookupError):
        return []


def workers(supervisor: int) -> list[int]:
    """Ids of a supervisor's workers, the oldest first."""
    return [process for process in sorted(descendants(supervisor)[1:]) if "app.server.worker" in command_line(process)]


def open_files(process: int) -> dict[Path, str]:
    """Paths of a process's descriptors, and what they are of; none if it has ended."""
    files = {}
    with suppress(FileNotFoundError, ProcessLookupError):
        for descriptor in Path(f"/proc/{process}/fd").iterdir():
            with suppress(FileNotFoundError):  # it was closed
                files[descriptor] = str(descriptor.readlink())
    return files


def connected_ports(process: int) -> set[int]:
    """Ports of the other ends of a server process's connections; IPv4."""
    sockets = set(open_files(process).values())
    # number, own address, other address, state, queues, timer, retransmissions, user, time-out, inode, ...
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return {
        int(row[2].partition(":")[2], 16) for row in rows if row[3] == _ESTABLISHED and f"socket:[{row[9]}]" in sockets
    }


def _fields(process: int) -> list[str]:
    """State, parent, ...; none if there is no such process."""
    try:
        # pid (name) state parent ...; the name may contain anything, parentheses too
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []
