"""What a network takes of a cluster, and for how many its machines have room."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from app.settings import Settings


class Share(NamedTuple):
    """Room that one network takes on one machine."""

    cpus: int
    gpus: int


def share(settings: Settings) -> Share:
    """Its threads, and a GPU if it is to be on one."""
    return Share(settings.threads or 1, int(settings.device.startswith("cuda")))


def room(machines: Iterable[Mapping[str, float]], each: Share) -> int:
    """For how many networks.

    Args:
        machines: resources of each, as Ray names and counts them: ``CPU``, ``GPU``.
        each: what one takes.
    """
    return sum(_fitting(machine, each) for machine in machines)


def _fitting(machine: Mapping[str, float], each: Share) -> int:
    by_cpus = int(machine.get("CPU", 0) // each.cpus)
    return min(by_cpus, int(machine.get("GPU", 0) // each.gpus)) if each.gpus else by_cpus
