"""Weight compression: how a file stores weights. Compressing decompressed weights again gives the same file.

Tensors: ``network.NAME`` for each weight, and ``scale.NAME`` for each weight stored as int8.
"""

from collections.abc import Mapping
from enum import StrEnum

import torch
from torch import Tensor

from model.errors import CheckpointError

_NETWORK_PREFIX = "network."
_SCALE_PREFIX = "scale."

_LARGE_KERNEL = 2**20
"""Minimum size of a kernel stored as int8, in numbers: in ResNet-18 the last stage's, three quarters of all weights."""

_LEVELS = 127
"""Steps between 0 and a channel's largest weight; -128 stays unused, so that rounding is symmetric."""


class StorageDtype(StrEnum):
    """Data types that weights are stored in.

    ``FLOAT16``: kernels as float16 unless that overflows; biases and batch-norm stay float32.
    ``INT8``: the same, but 3x3 kernels of 2^20 numbers or more as int8 times one float32 scale per output channel.
    """

    FLOAT16 = "float16"
    INT8 = "int8"


def compress_weights(weights: Mapping[str, Tensor], storage_dtype: StorageDtype) -> dict[str, Tensor]:
    """Return the tensors to store.

    Args:
        weights: name -> float32 weight, or integer counter.
        storage_dtype: data type to round to.
    """
    tensors: dict[str, Tensor] = {}
    for name, weight in weights.items():
        if storage_dtype is StorageDtype.INT8 and _is_large_kernel(weight):
            scale = _scale(weight)
            tensors[_SCALE_PREFIX + name] = scale
            tensors[_NETWORK_PREFIX + name] = (weight / scale.view(-1, 1, 1, 1)).round().to(torch.int8)
        else:
            tensors[_NETWORK_PREFIX + name] = _halve(weight)
    return tensors


def decompress_weights(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the float32 weights among a file's tensors; other tensors are ignored.

    Raises:
        CheckpointError: an int8 weight and its scale do not match, or one of them is missing.
    """
    weights, scales = _below(tensors, _NETWORK_PREFIX), _below(tensors, _SCALE_PREFIX)
    rounded = {name for name, weight in weights.items() if weight.dtype == torch.int8}
    for name in sorted(rounded - scales.keys()):
        raise CheckpointError(f"weight {name} is int8 and has no scale")
    for name in sorted(scales.keys() - rounded):
        raise CheckpointError(f"there is a scale for {name}, but no int8 weight")
    return {
        name: _multiply(name, weight, scales[name]) if name in rounded else _widen(weight)
        for name, weight in weights.items()
    }


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _is_large_kernel(weight: Tensor) -> bool:
    is_kernel = weight.dtype == torch.float32 and weight.ndim == 4 and weight.shape[2:] == (3, 3)
    return is_kernel and weight.numel() >= _LARGE_KERNEL and bool(torch.isfinite(weight).all())


def _scale(kernel: Tensor) -> Tensor:
    """(out, in, 3, 3) -> (out,) float32: a 127th of each output channel's largest weight.

    A smaller scale would clip a few weights to round the others more finely: measured, that reduces the error by 0.7%.
    """
    largest = kernel.abs().amax(dim=(1, 2, 3))
    # bfloat16's 8 bits times a level's 7 fit float32's 24: products are exact, so rounding them again gives the same
    # scale and levels. The scale is off by 1/257 at most, so the largest weight is still nearest to level 127.
    scale = (largest / _LEVELS).bfloat16().float()
    return scale.clamp(min=torch.finfo(torch.float32).tiny)  # for a channel of zeros, any scale but 0 will do


def _multiply(name: str, levels: Tensor, scale: Tensor) -> Tensor:
    if scale.dtype != torch.float32 or scale.shape != levels.shape[:1] or levels.ndim != 4:
        raise CheckpointError(
            f"the scale of {name} is {tuple(scale.shape)} {scale.dtype}, its int8 weight {tuple(levels.shape)}"
        )
    if not torch.isfinite(scale).all() or (scale <= 0).any():
        raise CheckpointError(f"the scale of {name} is not above 0 everywhere")
    return levels.float() * scale.view(-1, 1, 1, 1)


def _halve(weight: Tensor) -> Tensor:
    # Batch-norm statistics and biases are few but have a large range; kernels are the reverse.
    if weight.dtype != torch.float32 or weight.ndim < 2:
        return weight
    half = weight.half()
    return half if torch.isfinite(half).all() else weight


def _widen(weight: Tensor) -> Tensor:
    return weight.float() if weight.is_floating_point() else weight
