"""Optimiser and learning-rate schedule."""

from collections.abc import Iterable

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from model.networks import FCN
from training.config import TrainConfig


def freeze_stages(network: FCN, stages: int) -> list[nn.Module]:
    """Stop the first ``stages`` parts of the backbone from learning; returns them.

    The caller keeps them in evaluation mode, so that their batch-norm statistics stay as well.
    """
    backbone = network.backbone
    parts: list[list[nn.Module]] = [
        [backbone.conv1, backbone.bn1],
        [backbone.layer1],
        [backbone.layer2],
        [backbone.layer3],
        [backbone.layer4],
    ]
    frozen = [module for part in parts[:stages] for module in part]
    for module in frozen:
        module.requires_grad_(False)
    return frozen


def build_optimizer(network: FCN, config: TrainConfig) -> torch.optim.SGD:
    """SGD with momentum: two learning rates, and weight decay on kernels only."""
    backbone = list(network.backbone.parameters())
    in_backbone = {id(parameter) for parameter in backbone}
    head = [parameter for parameter in network.parameters() if id(parameter) not in in_backbone]
    groups = [
        *_decay_groups(backbone, config.learning_rate, config.weight_decay),
        *_decay_groups(head, config.head_learning_rate, config.weight_decay),
    ]
    return torch.optim.SGD(groups, lr=config.learning_rate, momentum=config.momentum)


def build_schedule(optimizer: torch.optim.Optimizer, config: TrainConfig) -> LambdaLR:
    """Linear warm-up, then the poly rule. Source: Chen et al. 2016 (arXiv:1606.00915), section 4.1."""

    def factor(step: int) -> float:
        warmup = min(1.0, (step + 1) / config.warmup_steps) if config.warmup_steps else 1.0
        return float(warmup * max(0.0, 1 - step / config.steps) ** 0.9)

    return LambdaLR(optimizer, factor)


def _decay_groups(
    parameters: Iterable[nn.Parameter], learning_rate: float, weight_decay: float
) -> list[dict[str, object]]:
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    kernels = [parameter for parameter in trained if parameter.ndim > 1]
    others = [parameter for parameter in trained if parameter.ndim <= 1]
    groups: list[dict[str, object]] = [
        {"params": kernels, "lr": learning_rate, "weight_decay": weight_decay},
        {"params": others, "lr": learning_rate, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]
