"""One way to run the body of a network, from images to scores."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from model.networks import FCN

Engine = Callable[[Tensor], Tensor]
"""Images (1, 3, height, width), float32, channels_last, sides multiples of 32 -> scores (1, K, height / s, width / s).

s is the network's stride; the caller enables inference mode.
"""


class UnavailableError(Exception):
    """An engine cannot be built here: a package is missing, or the CPU lacks what it needs."""


@dataclass(frozen=True, slots=True)
class Body:
    """Inputs that engines are built from.

    Attributes:
        network: the trained network, float32, channels_last, in evaluation mode; engines must not change it.
        calibration: photographs as network input, (1, 3, height, width) each, to calibrate int8 engines.
        threads: number of threads that an engine may use.
    """

    network: FCN
    calibration: Sequence[Tensor]
    threads: int

    def copy(self) -> FCN:
        """A copy of the network that an engine may change."""
        return copy.deepcopy(self.network)


@dataclass(frozen=True, slots=True)
class Candidate:
    """An engine that may be unavailable here.

    Attributes:
        name: label in the table.
        build: builds the engine; raises ``UnavailableError`` if it cannot.
    """

    name: str
    build: Callable[[Body], Engine]


def example(height: int, width: int) -> Tensor:
    """An image of noise as engine input: (1, 3, height, width) float32, channels_last."""
    noise = torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(height + width))
    return noise.contiguous(memory_format=torch.channels_last)
