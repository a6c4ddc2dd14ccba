"""Precisions that a device supports: queried from the libraries that compute, before any network is built."""

from functools import cache

import torch
from torch.nn import functional

from model.errors import DeviceError
from model.precision import Precision

_MIN_CUDA_CAPABILITY_FOR_BFLOAT16 = (8, 0)
"""Lowest compute capability of GPUs that multiply bfloat16; older ones emulate it."""

_INTEGERS_NEED = "it needs a CPU with VNNI"


def available_precisions(device: torch.device) -> tuple[Precision, ...]:
    """Return the precisions that a device supports, float32 first."""
    ordered = (Precision.FLOAT32, Precision.BFLOAT16, Precision.INT8, Precision.FLOAT64)
    return tuple(precision for precision in ordered if _rejection(precision, device) is None)


def require_precision(precision: Precision, device: torch.device) -> None:
    """Require that the device supports a precision.

    Raises:
        DeviceError: it does not; the message says what the precision requires, what the device has, and what to set.
    """
    rejection = _rejection(precision, device)
    if rejection is not None:
        *others, last = available_precisions(device)
        available = f"{', '.join(others)} and {last}" if others else last
        raise DeviceError(f"device '{device}' does not support {precision}: {rejection}; supported: {available}")


def _rejection(precision: Precision, device: torch.device) -> str | None:
    """Explain what the device lacks for a precision; None if nothing."""
    match precision:
        case Precision.BFLOAT16 if device.type == "cuda":
            return _cuda_obstacle_to_bfloat16(device)
        case Precision.BFLOAT16:
            is_missing = device.type != "cpu" or not _onednn_has_bfloat16()
            return "it needs a CPU with avx512_bf16 or AMX, or a GPU of compute capability 8.0" if is_missing else None
        case Precision.INT8:
            is_missing = device.type != "cpu" or not _onednn_multiplies_integers_exactly()
            return _INTEGERS_NEED if is_missing else None
        case _:
            return None


def _cuda_obstacle_to_bfloat16(device: torch.device) -> str | None:
    capability = torch.cuda.get_device_capability(device)
    if capability >= _MIN_CUDA_CAPABILITY_FOR_BFLOAT16:
        return None
    needed, present = (".".join(map(str, version)) for version in (_MIN_CUDA_CAPABILITY_FOR_BFLOAT16, capability))
    return f"it needs a GPU of compute capability {needed}, but {torch.cuda.get_device_name(device)} has {present}"


@cache
def _onednn_has_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16, and ``ONEDNN_MAX_CPU_ISA`` lets oneDNN lay out bfloat16 weights.

    On CPUs that have only AVX-512, oneDNN emulates it, several times slower than float32.
    """
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    # A build of PyTorch without this function has no such kernels either.
    is_supported = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    return bool(is_supported()) and (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


@cache
def _onednn_multiplies_integers_exactly() -> bool:
    """Whether oneDNN's convolution of uint8 by int8 is exact, tested with the largest operands.

    Without VNNI it adds pairs of products in 16 bits, where they overflow. ``torch.cpu`` queries only the processor, so
    it returns True even if ``ONEDNN_MAX_CPU_ISA`` keeps oneDNN from using the instructions.
    """
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    pixels = torch.full((1, 32, 8, 8), 255, dtype=torch.uint8).contiguous(memory_format=torch.channels_last)
    weight = torch.full((32, 32, 3, 3), 127, dtype=torch.int8)
    try:
        sums = _convolve_integers(pixels, weight)
    except (AttributeError, NotImplementedError, RuntimeError):  # a build without these kernels
        return False
    return torch.equal(sums.double(), functional.conv2d(pixels.double(), weight.double()))


@torch.inference_mode()
def _convolve_integers(pixels: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """(1, C, height, width) uint8 by (K, C, 3, 3) int8 -> (1, K, height - 2, width - 2) float32, as in int8 mode."""
    ones, zeros = torch.ones(len(weight)), torch.zeros(len(weight), dtype=torch.int32)
    geometry = [1, 1], [0, 0], [1, 1], 1
    packed = torch.ops.onednn.qconv_prepack(weight, ones, 1.0, 0, *geometry, None)
    operands = pixels, 1.0, 0, packed, ones, zeros, zeros.float()
    sums: torch.Tensor = torch.ops.onednn.qconv2d_pointwise(*operands, *geometry, 1.0, 0, torch.float32, "none", [], "")
    return sums
