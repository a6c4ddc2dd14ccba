"""Network architectures, one per file: image tensor -> scores at 1/stride -> logits."""

from model.networks.builder import Architecture, NetworkConfig, build_network
from model.networks.fcn import FCN

__all__ = ["FCN", "Architecture", "NetworkConfig", "build_network"]
