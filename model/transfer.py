"""Copies between host memory and the device."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def to_device(pixels: NDArray[np.uint8], device: torch.device, *, pinned: bool) -> Tensor:
    """Copy a uint8 array to a device.

    Args:
        pixels: array of any shape.
        device: target device.
        pinned: whether to copy asynchronously, through page-locked memory.
    """
    tensor = torch.from_numpy(pixels)
    if pinned:
        tensor = _pinned_like(tensor).copy_(tensor)
    return tensor.to(device, non_blocking=pinned)


def to_host(parts: Iterable[Tensor], *, pinned: bool) -> list[NDArray[Any]]:
    """Copy tensors from a device to arrays.

    Args:
        parts: tensors on a device.
        pinned: whether to copy through page-locked memory, with a single synchronisation.
    """
    if not pinned:
        return [part.cpu().numpy() for part in parts]
    copies = [_pinned_like(part).copy_(part, non_blocking=True) for part in parts]
    torch.cuda.current_stream().synchronize()
    return [copy.numpy() for copy in copies]


def _pinned_like(tensor: Tensor) -> Tensor:
    return torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
