"""Upsampling whose kernel is neither bilinear nor symmetric, and numbers to upsample."""

import torch
from torch import Tensor

from model.upsampling import LearnedUpsampling


def random_numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def learned_upsampling(num_classes: int, factor: int) -> LearnedUpsampling:
    upsampling = LearnedUpsampling(num_classes, factor).double().requires_grad_(False)
    upsampling.weight.add_(random_numbers(*upsampling.weight.shape, seed=1), alpha=0.1)
    return upsampling
