"""Checkpoints of small networks whose weights are all random: no zeros or identities could hide a mistake."""

import torch

from model.checkpoint import Checkpoint
from model.labels import Labels, voc_color
from model.networks import Architecture, NetworkConfig, build_network
from model.networks.resnet import Blocks


def small_labels(num_classes: int) -> Labels:
    return Labels(
        names=tuple(f"class {index}" for index in range(num_classes)),
        colors=tuple(voc_color(index) for index in range(num_classes)),
    )


def random_checkpoint(
    architecture: Architecture = Architecture.FCN32S,
    *,
    num_classes: int = 4,
    blocks: Blocks = (1, 1, 1, 1),
    width: int = 4,
    learned_upsampling: bool = False,
    seed: int = 0,
) -> Checkpoint:
    config = NetworkConfig(architecture, num_classes, blocks, width, learned_upsampling)
    random = torch.Generator().manual_seed(seed)
    weights = build_network(config).state_dict()
    for name, weight in weights.items():
        if not weight.is_floating_point():
            continue
        if weight.ndim > 1:
            noise = torch.randn(weight.shape, generator=random)
            if "upsampling" in name:
                weight.add_(noise, alpha=0.05)
            else:
                weight.copy_(noise * (2 / weight[0].numel()) ** 0.5)
        elif name.endswith(("running_var", "weight")):
            weight.copy_(torch.rand(weight.shape, generator=random) + 0.5)
        else:
            weight.copy_(torch.randn(weight.shape, generator=random) * 0.3)
    return Checkpoint(config, small_labels(num_classes), weights)
