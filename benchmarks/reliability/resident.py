"""Resident memory of a service and all its child processes (Linux)."""

import re
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.process_tree import command_line, descendants, open_files

_PERIOD_S = 0.1
_BLOCK_BYTES = 512
"""Size in bytes of the blocks that ``stat`` counts."""

_BOUND = re.compile(r"memory: at most (\d+) MB")


def resident_bytes(root: int) -> int:
    """Resident memory of a process and all its descendants, in bytes.

    Libraries count in each process that has loaded them. Files that exist only in memory are shared with decoders, and
    count once, whether or not a process maps them.
    """
    own = mapped = 0
    files: dict[int, int] = {}
    for process in descendants(root):
        try:
            fields = _status(process)
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended
        own += fields.get("RssAnon", 0) + fields.get("RssFile", 0)
        if "app.images.worker" not in command_line(process):
            mapped += fields.get("RssShmem", 0)
        files |= _files_in_memory(process)
    return own + max(mapped, sum(files.values()))


def promised_bytes(log: str) -> int:
    """Memory bound in bytes that a service logged at start-up, summed over its workers."""
    return sum(int(megabytes) for megabytes in _BOUND.findall(log)) * 10**6


@dataclass(frozen=True, slots=True)
class Sample:
    """A measurement of memory.

    Attributes:
        at_s: seconds since sampling started.
        resident_bytes: resident memory at that time.
    """

    at_s: float
    resident_bytes: int


class MemoryWatch:
    """Samples resident memory regularly, in a thread, while entered.

    Args:
        root: id of the process to watch, together with its descendants.
        period_s: seconds between samples.

    Attributes:
        samples: samples in ascending order of time.
    """

    def __init__(self, root: int, period_s: float = _PERIOD_S) -> None:
        self.samples: list[Sample] = []
        self._root = root
        self._period_s = period_s
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._thread.join()

    @property
    def peak_bytes(self) -> int:
        return max(sample.resident_bytes for sample in self.samples)

    def _run(self) -> None:
        start = time.monotonic()
        while True:
            self.samples.append(Sample(time.monotonic() - start, resident_bytes(self._root)))
            if self._ending.wait(self._period_s):
                return


def _status(process: int) -> dict[str, int]:
    """Name of a size in ``/proc/PID/status`` -> bytes."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    fields = (line.split() for line in lines if line.endswith("kB"))
    return {name.removesuffix(":"): int(kilobytes) * 1024 for name, kilobytes, _ in fields}


def _files_in_memory(process: int) -> dict[int, int]:
    """Inode -> bytes of each open file that exists only in memory."""
    files = {}
    for descriptor, file in open_files(process).items():
        with suppress(FileNotFoundError):  # it was closed
            if file.startswith("/memfd:"):
                facts = descriptor.stat()
                files[facts.st_ino] = facts.st_blocks * _BLOCK_BYTES
    return files
