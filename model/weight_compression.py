"""Weight compression: how weights lie in a file. Compressing what was read back gives the same file.

Tensors: ``network.NAME`` for each weight, and ``scale.NAME`` for each that is stored as int8.
"""

from collections.abc import Mapping
from enum import StrEnum

import torch
from torch import Tensor

from model.errors import CheckpointError

_NETWORK_PREFIX = "network."
_SCALE_PREFIX = "scale."

_LARGE_KERNEL = 2**20
"""Numbers in a kernel that is worth int8: of ResNet-18 those of its last stage, three quarters of everything."""

_LEVELS = 127
"""Steps between 0 and a channel's largest weight; -128 stays unused, so that both signs are rounded alike."""


class StorageDtype(StrEnum):
    """Data types that weights are stored in.

    ``FLOAT16``: kernels to float16 where that loses no range; biases and batch-norm stay float32.
    ``INT8``: the same, but 3x3 kernels of 2^20 numbers or more to int8 times one float32 scale an output channel.
    """

    FLOAT16 = "float16"
    INT8 = "int8"


def compress_weights(weights: Mapping[str, Tensor], storage_dtype: StorageDtype) -> dict[str, Tensor]:
    """The tensors to store.

    Args:
        weights: name -> float32 weight, or integer counter.
        storage_dtype: what to round to.
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
    """Weights, float32, of a file's tensors; those that are no weights are left out.

    Raises:
        CheckpointError: an int8 weight and its scale do not belong together, or one of them is missing.
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

    A scale below it would clip a few weights to round the others finer: measured, that takes 0.7% off the error.
    """
    largest = kernel.abs().amax(dim=(1, 2, 3))
    # bfloat16's 8 bits times a level's 7 fit float32's 24: products are exact, so that rounding them again gives the
    # same scale and levels. It is off by 1/257 at most, so that the largest weight is still nearest to level 127.
    scale = (largest / _LEVELS).bfloat16().float()
    return scale.clamp(min=torch.finfo(torch.float32).tiny)  # a channel of zeros wants any scale but 0


def _multiply(name: str, levels: Tensor, scale: Tensor) -> Tensor:
    if scale.dtype != torch.float32 or scale.shape != levels.shape[:1] or levels.ndim != 4:
        raise CheckpointError(
            f"the scale of {name} is {tuple(scale.shape)} {scale.dtype}, its int8 weight {tuple(levels.shape)}"
        )
    if not torch.isfinite(scale).all() or (scale <= 0).any():
        raise CheckpointError(f"the scale of {name} is not above 0 everywhere")
    return levels.float() * scale.view(-1, 1, 1, 1)


def _halve(weight: Tensor) -> Tensor:
    # Batch-norm statistics and biases are small in number and large in range; kernels are the reverse.
    if weight.dtype != torch.float32 or weight.ndim < 2:
        return weight
    half = weight.half()
    return half if torch.isfinite(half).all() else weight


def _widen(weight: Tensor) -> Tensor:
    return weight.float() if weight.is_floating_point() else weight
