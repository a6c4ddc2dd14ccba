"""How many cores this process may use: those of the machine, less what affinity and a container's quota leave out."""

import math
import os

import torch

from model.cgroups import cpu_quota
from model.errors import DeviceError


def usable_cores() -> int:
    """The least of the machine's cores, those of the process's affinity, and the whole cores of its CPU quota."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cpu_quota()
    return max(1, min(os.cpu_count() or 1, affinity, affinity if quota is None else int(quota)))


def set_threads(threads: int, setting: str) -> None:
    """Let PyTorch compute in so many threads, or for 0 in as many as there are cores to use.

    Args:
        threads: number of threads to set.
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
