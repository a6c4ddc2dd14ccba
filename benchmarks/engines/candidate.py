"""One way to run the body of a network, from images to scores."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from model.networks import FCN

Engine = Callable[[Tensor], Tensor]
"""Images (1, 3, height, width), float32, channels_last, sides multiples of 32 -> scores (1, K, height / s, width / s).

Of a network with stride s; runs in inference mode.
"""


class UnavailableError(Exception):
    """An engine cannot be built here: a package is missing, or the CPU lacks what it needs."""


@dataclass(frozen=True, slots=True)
class Body:
    """What engines are built from.

    Attributes:
        network: the trained network, float32, channels_last, in evaluation mode; nobody changes it.
        calibration: photographs as the network reads them, (1, 3, height, width) each, for the ranges of integers.
        threads: number that an engine may use.
    """

    network: FCN
    calibration: Sequence[Tensor]
    threads: int

    def copy(self) -> FCN:
        """The network, to be changed at will."""
        return copy.deepcopy(self.network)


@dataclass(frozen=True, slots=True)
class Candidate:
    """An engine that may be there.

    Attributes:
        name: label in the table.
        build: makes it; raises ``UnavailableError`` where it cannot be had.
    """

    name: str
    build: Callable[[Body], Engine]


def example(height: int, width: int) -> Tensor:
    """Images of noise, as engines read them."""
    noise = torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(height + width))
    return noise.contiguous(memory_format=torch.channels_last)
