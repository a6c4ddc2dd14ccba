"""Resources that a network takes of a cluster, and the number of networks that fit."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from app.settings import Settings


class Share(NamedTuple):
    """Resources that one network takes on one machine."""

    cpus: int
    gpus: int


def share(settings: Settings) -> Share:
    """One CPU per thread, and a GPU if the device is CUDA."""
    return Share(settings.threads or 1, int(settings.device.startswith("cuda")))


def room(machines: Iterable[Mapping[str, float]], each: Share) -> int:
    """Number of networks that fit on some machines.

    Args:
        machines: resources of each machine, as Ray names and counts them: ``CPU``, ``GPU``.
        each: resources that one network takes.
    """
    return sum(_fitting(machine, each) for machine in machines)


def _fitting(machine: Mapping[str, float], each: Share) -> int:
    by_cpus = int(machine.get("CPU", 0) // each.cpus)
    return min(by_cpus, int(machine.get("GPU", 0) // each.gpus)) if each.gpus else by_cpus
