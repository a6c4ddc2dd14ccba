"""The number of cores this process may use, given its CPU affinity and its container's quota."""

import math
import os

import torch

from model.cgroups import cpu_quota
from model.errors import DeviceError


def usable_cores() -> int:
    """Return the minimum of the machine's cores, those in the process's affinity, and its CPU quota rounded down."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cpu_quota()
    return max(1, min(os.cpu_count() or 1, affinity, affinity if quota is None else int(quota)))


def set_threads(threads: int, setting: str) -> None:
    """Set PyTorch's number of threads; 0 means one per usable core.

    Args:
        threads: number of threads.
        setting: name of the setting, for the error message.

    Raises:
        DeviceError: there are more threads than the CPU quota has cores: they would be throttled many times a second.
    """
    require_threads(threads, setting)
    # PyTorch's default respects OMP_NUM_THREADS, but not quotas.
    torch.set_num_threads(threads or min(torch.get_num_threads(), usable_cores()))


def require_threads(threads: int, setting: str) -> None:
    """Require that there are no more threads than the CPU quota has cores, rounded up.

    Raises:
        DeviceError: there are more.
    """
    quota = cpu_quota()
    if quota is not None and threads > (most := math.ceil(quota)):
        raise DeviceError(
            f"{setting} is {threads}, but the CPU quota allows {quota:g} cores: set {most} or fewer, or 0 for as "
            "many as there are"
        )
