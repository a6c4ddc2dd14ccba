"""What the service makes of the cores that it may use: by the machine, by affinity, and by a container's CPU quota.

    python -m benchmarks.cores

Prints a table: threads that the network is given, and milliseconds of a photograph over HTTP, one after the other, in
float32. A quota needs root and a cgroup file system, version 1 or 2; without them those rows are left out.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.machine import describe_machine
from benchmarks.photograph import photograph
from benchmarks.service import OURS, segment, started

_CGROUPS = Path("/sys/fs/cgroup")
_PERIOD_US = 100_000
_WARM_UP = 3
_REQUESTS = 30
_PRINT_THREADS = """
import torch
from model.cores import set_threads
set_threads(0, "FCN_THREADS")
print(torch.get_num_threads())
"""


@dataclass(frozen=True, slots=True)
class CpuLimit:
    """What keeps a process from using all cores.

    Attributes:
        name: of the row.
        prefix: words before the command that is limited.
    """

    name: str
    prefix: tuple[str, ...] = ()


@contextmanager
def quota(cores: float) -> Iterator[CpuLimit]:
    """A cgroup whose processes have so many cores' worth of time.

    Raises:
        OSError: this process may not make one.
    """
    version_2 = (_CGROUPS / "cgroup.controllers").exists()
    folder = (_CGROUPS if version_2 else _CGROUPS / "cpu") / f"fcn-benchmark-{os.getpid()}"
    folder.mkdir()
    try:
        limit = round(cores * _PERIOD_US)
        if version_2:
            (folder / "cpu.max").write_text(f"{limit} {_PERIOD_US}")
        else:
            (folder / "cpu.cfs_period_us").write_text(str(_PERIOD_US))
            (folder / "cpu.cfs_quota_us").write_text(str(limit))
        enter = 'echo $$ > "$0" && exec "$@"'
        yield CpuLimit(f"quota of {cores:g}", ("/bin/sh", "-c", enter, str(folder / "cgroup.procs")))
    finally:
        folder.rmdir()


def threads(limit: CpuLimit) -> int:
    """Threads that the service gives the network."""
    command = [*limit.prefix, sys.executable, "-c", _PRINT_THREADS]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def milliseconds(limit: CpuLimit) -> float:
    """Median of a photograph over HTTP."""
    command: list[str] = [*limit.prefix, sys.executable, *OURS.arguments]
    image = photograph("cat")
    seconds = []
    with started(replace(OURS, arguments=tuple(command[1:])), command[0], image) as one:
        for number in range(_WARM_UP + _REQUESTS):
            began = time.perf_counter()
            segment(OURS, one.port, image)
            if number >= _WARM_UP:
                seconds.append(time.perf_counter() - began)
    return 1e3 * statistics.median(seconds)


def main() -> None:
    print(*(f"{name}: {value}" for name, value in describe_machine().items()), sep="\n", file=sys.stderr)
    print("| limit | threads | ms a photograph |")
    print("| --- | ---: | ---: |")
    for limit in (CpuLimit("all cores"), CpuLimit("affinity to one core", ("taskset", "--cpu-list", "0"))):
        print(row(limit), flush=True)
    for cores in (1.0, 1.5):
        try:
            with quota(cores) as limit:
                print(row(limit), flush=True)
        except OSError as error:
            print(f"no quota of {cores:g}: {error}", file=sys.stderr)


def row(limit: CpuLimit) -> str:
    """A line of the table."""
    return f"| {limit.name} | {threads(limit)} | {milliseconds(limit):.0f} |"


if __name__ == "__main__":
    main()
