"""Distributed training of one network by the processes that ``torchrun`` starts, or by a single process."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed

from model.device import choose_device
from model.errors import DeviceError

_TIMEOUT = timedelta(hours=6)
"""Timeout of collective operations: the others wait while the main process validates. PyTorch's is 10 minutes."""


@dataclass(frozen=True, slots=True)
class Processes:
    """The distributed process group, as seen by this process.

    Attributes:
        rank: rank of this process, from 0.
        count: number of processes.
    """

    rank: int = 0
    count: int = 1

    @property
    def is_main_process(self) -> bool:
        """Whether this is the process that writes files and prints."""
        return self.rank == 0

    def total(self, number: Tensor) -> Tensor:
        """Return the sum of a tensor over all processes."""
        if self.count == 1:
            return number
        result = number.clone()
        distributed.all_reduce(result)
        return result

    def means(self, numbers: Tensor) -> list[float]:
        """Return the mean of each number of a vector over all processes, with one all-reduce and one device sync."""
        return [total / self.count for total in self.total(numbers).tolist()]


def own_device(name: str) -> torch.device:
    """Choose a device by name and make it the current one; on a machine with several GPUs, each process has its own.

    Raises:
        DeviceError: the device cannot be used, or there are fewer GPUs than processes.
    """
    device = choose_device(_name_of_own(name))
    if device.type == "cuda":
        torch.cuda.set_device(device)
    return device


def _name_of_own(name: str) -> str:
    """Return ``cuda:N`` for the N-th process that ``torchrun`` started here, so that no process opens another's GPU."""
    rank = os.environ.get("LOCAL_RANK")
    if rank is None or name.partition(":")[0] not in {"auto", "cuda"} or not torch.cuda.is_available():
        return name
    count = torch.cuda.device_count()
    if int(rank) >= count:
        raise DeviceError(f"process {rank} has no GPU of its own: there are {count}; give --nproc-per-node {count}")
    return f"cuda:{rank}"


@contextmanager
def join_processes(device: torch.device) -> Iterator[Processes]:
    """Join the process group if ``torchrun`` started this process; else yield a group of one."""
    if "RANK" not in os.environ:
        yield Processes()
        return
    is_cuda = device.type == "cuda"
    distributed.init_process_group(
        "nccl" if is_cuda else "gloo", timeout=_TIMEOUT, device_id=device if is_cuda else None
    )
    try:
        yield Processes(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()
