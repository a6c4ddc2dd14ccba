"""Optimizer, learning-rate schedule, and frozen layers."""

import math
from collections.abc import Iterable
from functools import partial

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from model.networks import FCN
from training.config import LRSchedule, OptimizerConfig, OptimizerName


def freeze(network: FCN, config: OptimizerConfig) -> list[nn.Module]:
    """Freeze parts of a network; return the modules that must stay in evaluation mode.

    Frozen batch-norm keeps its statistics, which works only in evaluation mode.
    """
    backbone = network.backbone
    stages: list[list[nn.Module]] = [
        [backbone.conv1, backbone.bn1],
        [backbone.layer1],
        [backbone.layer2],
        [backbone.layer3],
        [backbone.layer4],
    ]
    frozen = [module for stage in stages[: config.frozen_stages] for module in stage]
    if config.freeze_batch_norm:
        frozen += [module for module in backbone.modules() if isinstance(module, nn.BatchNorm2d)]
    for module in frozen:
        module.requires_grad_(False)
    if config.freeze_upsampling:
        for module in network.upsamplings():
            module.requires_grad_(False)
    return frozen


def build_optimizer(network: FCN, extra: nn.Module | None, config: OptimizerConfig) -> torch.optim.Optimizer:
    """Build SGD with momentum or AdamW, with three learning rates, and weight decay on kernels only.

    Args:
        network: network to train; the stem and layer1 use ``stem_learning_rate``, the later stages ``learning_rate``,
            and all other layers ``head_learning_rate``.
        extra: another module to train, at ``head_learning_rate``, or None.
        config: optimizer and its learning rates.
    """
    stem, stages, head = _parts(network)
    head += [] if extra is None else list(extra.parameters())
    groups = [
        *_decay_groups(stem, config.stem_learning_rate or config.learning_rate, config.weight_decay),
        *_decay_groups(stages, config.learning_rate, config.weight_decay),
        *_decay_groups(head, config.head_learning_rate, config.weight_decay),
    ]
    if config.name is OptimizerName.ADAMW:
        return torch.optim.AdamW(groups)
    return torch.optim.SGD(groups, momentum=config.momentum)


def _parts(network: FCN) -> tuple[list[nn.Parameter], list[nn.Parameter], list[nn.Parameter]]:
    """Split the parameters: the backbone's stem and first stage, its later stages, and all others."""
    stem: list[nn.Parameter] = []
    stages: list[nn.Parameter] = []
    head: list[nn.Parameter] = []
    for name, parameter in network.named_parameters():
        if name.startswith(("backbone.conv1.", "backbone.bn1.", "backbone.layer1.")):
            stem.append(parameter)
        elif name.startswith("backbone."):
            stages.append(parameter)
        else:
            head.append(parameter)
    return stem, stages, head


def build_scheduler(optimizer: torch.optim.Optimizer, config: OptimizerConfig, steps: int) -> LambdaLR:
    """Build a scheduler that scales every group's maximum learning rate by ``lr_lambda`` in each of ``steps`` steps."""
    return LambdaLR(optimizer, partial(lr_lambda, config, steps))


def lr_lambda(config: OptimizerConfig, steps: int, step: int) -> float:
    """Return the share of the maximum learning rate at step ``step`` of ``steps``: a linear warm-up, then the decay.

    Source of "poly": Chen et al. 2016 (arXiv:1606.00915), section 4.1; of cosine: Loshchilov, Hutter 2016
    (arXiv:1608.03983), without restarts.
    """
    warmup = min(1.0, (step + 1) / config.warmup_steps) if config.warmup_steps else 1.0
    progress = min(1.0, step / steps)
    match config.lr_schedule:
        case LRSchedule.POLY:
            return float(warmup * (1 - progress) ** 0.9)
        case LRSchedule.COSINE:
            return warmup * (1 + math.cos(math.pi * progress)) / 2
        case LRSchedule.CONSTANT:
            return warmup


def _decay_groups(
    parameters: Iterable[nn.Parameter], learning_rate: float, weight_decay: float
) -> list[dict[str, object]]:
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    kernels = [parameter for parameter in trained if parameter.ndim > 1]
    others = [parameter for parameter in trained if parameter.ndim <= 1]
    groups: list[dict[str, object]] = [
        {"params": kernels, "weight_decay": weight_decay, "lr": learning_rate},
        {"params": others, "weight_decay": 0.0, "lr": learning_rate},
    ]
    return [group for group in groups if group["params"]]
