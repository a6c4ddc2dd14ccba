"""Builds a network from a configuration."""

from dataclasses import dataclass
from enum import StrEnum

from model.errors import NetworkError
from model.labels import IGNORE_INDEX
from model.networks.fcn import FCN
from model.networks.fcn4s_context import FCN4sContext
from model.networks.fcn8s import FCN8s
from model.networks.fcn8s_context import FCN8sContext
from model.networks.fcn16s import FCN16s
from model.networks.fcn32s import FCN32s
from model.networks.resnet import Blocks


class Architecture(StrEnum):
    """The available fully convolutional networks, by the stride of their score grid."""

    FCN32S = "fcn32s"
    FCN16S = "fcn16s"
    FCN8S = "fcn8s"
    FCN8S_CONTEXT = "fcn8s_context"
    FCN4S_CONTEXT = "fcn4s_context"


_TYPES: dict[Architecture, type[FCN]] = {
    Architecture.FCN32S: FCN32s,
    Architecture.FCN16S: FCN16s,
    Architecture.FCN8S: FCN8s,
    Architecture.FCN8S_CONTEXT: FCN8sContext,
    Architecture.FCN4S_CONTEXT: FCN4sContext,
}


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """Everything that determines a network's shape. The defaults are the book's network, ``fcn32s`` on ResNet-18.

    Attributes:
        architecture: name of the architecture.
        num_classes: output channels, 1..255.
        blocks: basic blocks of each of the backbone's four stages.
        width: channels of the backbone's first stage.
        learned_upsampling: whether the transposed convolutions have trained kernels instead of fixed bilinear ones.

    Raises:
        NetworkError: a value is out of its range.
    """

    architecture: Architecture = Architecture.FCN32S
    num_classes: int = 21
    blocks: Blocks = (2, 2, 2, 2)
    width: int = 64
    learned_upsampling: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.num_classes <= IGNORE_INDEX:
            raise NetworkError(f"num_classes must be in 1..{IGNORE_INDEX}, not {self.num_classes}")
        if len(self.blocks) != 4 or not all(1 <= count <= 64 for count in self.blocks):
            raise NetworkError(f"blocks must be four numbers in 1..64, not {self.blocks}")
        if not 1 <= self.width <= 1024:
            raise NetworkError(f"width must be in 1..1024, not {self.width}")


def build_network(config: NetworkConfig) -> FCN:
    """Build a network with random weights, in training mode."""
    network_type = _TYPES[config.architecture]
    return network_type(config.num_classes, config.blocks, config.width, learned_upsampling=config.learned_upsampling)
