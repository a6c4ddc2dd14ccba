"""How many cores this process may use: those of the machine, less what affinity and a container's quota leave out."""

import math
import os
from pathlib import Path

import torch

from model.errors import DeviceError

_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUPS = Path("/proc/self/cgroup")


def usable_cores() -> int:
    """The least of the machine's cores, those of the process's affinity, and the whole cores of its CPU quota."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cpu_quota()
    return max(1, min(os.cpu_count() or 1, affinity, affinity if quota is None else int(quota)))


def cpu_quota() -> float | None:
    """Cores' worth of time that the tightest of the process's cgroups allows, version 2 or 1; None without a quota."""
    quotas = [quota for folder in _folders() for quota in (_quota_of_v2(folder), _quota_of_v1(folder)) if quota]
    return min(quotas, default=None)


def set_threads(threads: int, setting: str) -> None:
    """Let PyTorch compute in so many threads, or for 0 in as many as there are cores to use.

    Args:
        threads: that are set.
        setting: the name under which they are, for the message.

    Raises:
        DeviceError: more are set than the CPU quota gives time for: they would stop one another many times a second.
    """
    require_threads(threads, setting)
    # PyTorch's own number heeds OMP_NUM_THREADS, and knows nothing of quotas.
    torch.set_num_threads(threads or min(torch.get_num_threads(), usable_cores()))


def require_threads(threads: int, setting: str) -> None:
    """Refuse more threads than the CPU quota has cores, a fraction of one counting as one.

    Raises:
        DeviceError: there are more.
    """
    quota = cpu_quota()
    if quota is not None and threads > (most := math.ceil(quota)):
        raise DeviceError(
            f"{setting} is {threads}, and the CPU quota allows {quota:g} cores: set {most} or fewer, or 0 for as "
            "many as there are"
        )


def _folders() -> list[Path]:
    """The process's cgroups and those above them, whose quotas hold for it too."""
    try:
        lines = _OWN_CGROUPS.read_text().splitlines()
    except OSError:  # not Linux
        return []
    folders: dict[Path, None] = {}
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        for root in (_CGROUPS / controllers, _CGROUPS / "cpu", _CGROUPS):
            # In a container the path may be the host's, and its own group is then the root that it sees.
            own = root / path.lstrip("/")
            folders.update(dict.fromkeys([folder for folder in (own, *own.parents) if folder.is_relative_to(root)]))
    return list(folders)


def _quota_of_v2(folder: Path) -> float | None:
    words = _words(folder / "cpu.max")
    return _ratio(words[0], words[1]) if len(words) == 2 else None


def _quota_of_v1(folder: Path) -> float | None:
    quota, period = _words(folder / "cpu.cfs_quota_us"), _words(folder / "cpu.cfs_period_us")
    return _ratio(quota[0], period[0]) if quota and period else None


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:
        return []


def _ratio(quota: str, period: str) -> float | None:
    """None for ``max`` (version 2) and -1 (version 1), which mean that there is no quota."""
    if not quota.isdigit() or not period.isdigit() or int(quota) == 0 or int(period) == 0:
        return None
    return int(quota) / int(period)
