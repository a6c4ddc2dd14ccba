"""Memory format of the tensors in a training step."""

import torch
from torch import nn

_SAFE_CHANNELS = 16
"""Minimum input channels with which oneDNN trains strided 1x1 convolutions correctly: its AVX-512 block size."""


def training_memory_format(network: nn.Module, device: torch.device) -> torch.memory_format:
    """Return the fastest safe memory format for training a network: ``channels_last``, unless oneDNN would crash.

    oneDNN computes the weight gradient of a strided 1x1 convolution from a workspace of every second pixel. In
    channels_last, with fewer input channels than a vector register holds (8 with AVX2, 16 with AVX-512), it writes past
    the end of that workspace: gradients are wrong, threads hang, or the heap is corrupted. NCHW takes another path, and
    prediction has no gradients. docs/log.md has a minimal example.

    Source: https://github.com/uxlfoundation/oneDNN/issues/6035, open as of oneDNN 3.12 (PyTorch 2.14).

    Args:
        network: module with all layers to train.
        device: device to train on.
    """
    narrow = any(
        isinstance(module, nn.Conv2d)
        and module.kernel_size == (1, 1)
        and max(module.stride) > 1
        and module.in_channels < _SAFE_CHANNELS
        for module in network.modules()
    )
    return torch.contiguous_format if narrow and device.type == "cpu" else torch.channels_last
