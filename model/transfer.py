"""Copies between main memory and the device."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def to_device(pixels: NDArray[np.uint8], device: torch.device, *, pinned: bool) -> Tensor:
    """An array's copy on a device.

    Args:
        pixels: uint8.
        device: the device.
        pinned: whether it goes through page-locked memory, and nobody waits for it.
    """
    tensor = torch.from_numpy(pixels)
    if pinned:
        tensor = _pinned_like(tensor).copy_(tensor)
    return tensor.to(device, non_blocking=pinned)


def to_host(parts: Iterable[Tensor], *, pinned: bool) -> list[NDArray[Any]]:
    """Arrays of tensors.

    Args:
        parts: tensors on a device.
        pinned: whether they come through page-locked memory, with one wait for all.
    """
    if not pinned:
        return [part.cpu().numpy() for part in parts]
    copies = [_pinned_like(part).copy_(part, non_blocking=True) for part in parts]
    torch.cuda.current_stream().synchronize()
    return [copy.numpy() for copy in copies]


def _pinned_like(tensor: Tensor) -> Tensor:
    return torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
