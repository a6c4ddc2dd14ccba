"""CPU and memory limits of this process's control groups (versions 1 and 2), set by a container, a service or a job."""

from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")

_UNLIMITED_BYTES = 1 << 60
"""Limit in bytes from which on memory is unlimited: version 1 writes the largest number of pages that fits a word."""


def cpu_quota() -> float | None:
    """Return the smallest CPU quota of the process's groups, in cores; None without a quota."""
    quotas = [quota for folder in _folders("cpu") for quota in (_quota_of_v2(folder), _quota_of_v1(folder)) if quota]
    return min(quotas, default=None)


def memory_limit() -> int | None:
    """Return the smallest memory limit of the process's groups, in bytes; None without a limit."""
    names = ("memory.max", "memory.limit_in_bytes")
    words = [word for folder in _folders("memory") for name in names for word in _words(folder / name)]
    limits = [int(word) for word in words if word.isdigit() and int(word) < _UNLIMITED_BYTES]
    return min(limits, default=None)


def _folders(controller: str) -> list[Path]:
    """Folders of the process's groups of a controller, and of their ancestors, whose limits apply too."""
    try:
        lines = _OWN.read_text().splitlines()
    except OSError:  # not Linux
        return []
    folders: dict[Path, None] = {}
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        for root in (_ROOT / controllers, _ROOT / controller, _ROOT):
            # In a container the path may be the host's; the container's own group is then the root that it sees.
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
    """Quota in cores; None for ``max`` (version 2) and -1 (version 1), which mean no quota."""
    if not quota.isdigit() or not period.isdigit() or int(quota) == 0 or int(period) == 0:
        return None
    return int(quota) / int(period)
