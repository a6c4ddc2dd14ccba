"""Several processes that train one network, as ``torchrun`` starts them; one process is the simplest case."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed

from model.device import choose_device


@dataclass(frozen=True, slots=True)
class Processes:
    """This process among those that train together.

    Attributes:
        rank: number of this process.
        count: of the processes.
    """

    rank: int = 0
    count: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process is the one that writes and prints."""
        return self.rank == 0

    def total(self, number: Tensor) -> Tensor:
        """Sum of a tensor over all processes."""
        if self.count == 1:
            return number
        result = number.clone()
        distributed.all_reduce(result)
        return result

    def mean(self, number: Tensor) -> float:
        """Mean of one number over all processes."""
        return float(self.total(number)) / self.count


def own_device(name: str) -> torch.device:
    """The device of a name; of several GPUs on a machine, each process has its own.

    Raises:
        DeviceError: the device cannot be used.
    """
    device = choose_device(name)
    if device.type == "cuda" and "LOCAL_RANK" in os.environ:
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    return device


@contextmanager
def join_processes(device: torch.device) -> Iterator[Processes]:
    """Meet the others that ``torchrun`` started, if it did."""
    if "RANK" not in os.environ:
        yield Processes()
        return
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Processes(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()
