"""How long the service takes to start, seen from outside: from the process to readiness and to the first mask."""

import os
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

from deploy.chroot.service import running
from deploy.chroot.stage import Stage

_DROP_CACHES = Path("/proc/sys/vm/drop_caches")


@dataclass(frozen=True, slots=True)
class Start:
    """What a start took.

    Attributes:
        ready_s: seconds from the start of the process to readiness.
        mask_s: seconds from the start of the process to the first mask.
        cpu_s: seconds that the process has computed until then, on all cores together.
        read_bytes: read from the disk until then.
    """

    ready_s: float
    mask_s: float
    cpu_s: float
    read_bytes: int


def measure_starts(stage: Stage, photograph: Path, times: int) -> None:
    """Print medians and ranges of starts whose files are in memory, and of those that read the disk (Linux)."""
    print("| files | starts | to /readyz, s | to the first mask, s | of processors, s | read from the disk, MB |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, prepare in (("in memory", None), ("on the disk", _empty_cache)):
        starts = []
        for _ in range(times):
            if prepare is not None:
                prepare()
            starts.append(_start(stage, photograph))
        ready = _spread([start.ready_s for start in starts], ".2f")
        mask = _spread([start.mask_s for start in starts], ".2f")
        computed = _spread([start.cpu_s for start in starts], ".2f")
        read = _spread([start.read_bytes / 1e6 for start in starts], ".0f")
        print(f"| {name} | {times} | {ready} | {mask} | {computed} | {read} |", flush=True)


def _start(stage: Stage, photograph: Path) -> Start:
    begun = time.monotonic()
    with running(stage) as service:
        service.wait_until_ready()
        ready = time.monotonic() - begun
        service.segment(photograph)
        mask = time.monotonic() - begun
        computed, read = service.cpu_s(), service.read_bytes()
        service.stop()
    return Start(ready, mask, computed, read)


def _empty_cache() -> None:
    os.sync()
    _DROP_CACHES.write_text("3")


def _spread(values: list[float], form: str) -> str:
    return f"{statistics.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"
