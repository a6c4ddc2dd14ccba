"""3x3 convolutions of stride 1 with a quarter of the multiplications (winograd.c).

PyTorch has no such kernel for channels_last, and the engines that have one do not offer it for single layers. If the
package was installed without a C compiler, the kernel is missing.
"""

import ctypes
import logging
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec

import torch
from torch import Tensor

_logger = logging.getLogger(__name__)

_POINTS = 36
"""Elements of a transformed tile."""

MAX_PARTS = 3
"""Maximum number of tensors that hold the rows of an input."""

_POINTERS = ("weight", "bias", "output")
_SIZES = (
    *("batch", "rows", "columns", "in_channels", "out_channels", "out_rows", "padding_above"),
    *("relu", "is_transposed"),
)


class _Rows(ctypes.Structure):
    """The structure ``Rows`` of winograd.c."""

    _fields_ = [("first", ctypes.c_void_p), *((name, ctypes.c_ssize_t) for name in ("count", "image", "row"))]


class _Convolution(ctypes.Structure):
    """The structure ``Convolution`` of winograd.c."""

    _fields_ = [
        *((name, _Rows * MAX_PARTS) for name in ("input", "addend")),
        *((name, ctypes.c_void_p) for name in _POINTERS),
        *((name, ctypes.c_ssize_t) for name in _SIZES),
    ]


@cache
def library() -> ctypes.CDLL | None:
    """Load the kernels for this CPU's instruction set; None if there are none."""
    capability = torch.backends.cpu.get_cpu_capability()
    name = {"AVX512": "winograd_avx512", "AVX2": "winograd_avx2"}.get(capability, "winograd_generic")
    spec = find_spec(f"model.kernels.{name}")
    if spec is None or spec.origin is None:
        _logger.warning("installed without a C compiler, so float32 takes twice as long; reinstall with one")
        return None
    if _parallel() is None:
        _logger.warning("this PyTorch has no OpenMP threads to compute on, so float32 takes twice as long")
        return None
    kernels = ctypes.CDLL(spec.origin)
    size = getattr(kernels, "winograd_convolution_size", None)
    if size is None or size() != ctypes.sizeof(_Convolution):
        _logger.warning("the kernels are of another version, so float32 takes twice as long; reinstall")
        return None
    sizes, pointers = [ctypes.c_ssize_t] * 2, [ctypes.c_void_p] * 2
    kernels.winograd_transform_weight.argtypes = [*pointers, *sizes]
    kernels.winograd_convolve.argtypes = [ctypes.POINTER(_Convolution), ctypes.c_ssize_t, ctypes.c_void_p]
    return kernels


def channel_multiple(kernels: ctypes.CDLL) -> int:
    """Return the divisor of the numbers of input and output channels."""
    return int(kernels.winograd_channels())


def transform_weight(kernels: ctypes.CDLL, weight: Tensor) -> Tensor:
    """Transform a weight, (out channels, in channels, 3, 3) float32, for ``convolve``; it grows by a factor of four."""
    weight = weight.contiguous()
    out_channels, in_channels = weight.shape[:2]
    panel = channel_multiple(kernels)
    transformed = weight.new_empty(out_channels // panel, _POINTS, in_channels, panel)
    kernels.winograd_transform_weight(weight.data_ptr(), transformed.data_ptr(), out_channels, in_channels)
    return transformed


def convolve(
    kernels: ctypes.CDLL,
    x: Sequence[Tensor],
    weight: Tensor,
    bias: Tensor,
    addend: Sequence[Tensor],
    *,
    relu: bool,
    padding_above: int,
    out_rows: int,
    is_transposed: bool = False,
) -> Tensor:
    """Compute convolution, sum and ReLU on PyTorch's number of threads, padded by a column of zeros on each side.

    Args:
        kernels: ``library()``.
        x: (batch, in channels, rows, columns) float32, in up to ``MAX_PARTS`` tensors of consecutive rows.
        weight: transformed by ``transform_weight``.
        bias: (out channels,) float32.
        addend: (batch, out channels, out_rows, columns) float32, in tensors like x; empty if nothing is added.
        relu: whether negative outputs become 0.
        padding_above: rows of zeros above those of x; as many rows of zeros as needed are added below.
        out_rows: rows of the output.
        is_transposed: whether to use the kernels with rows and columns exchanged.

    Returns:
        (batch, out channels, out_rows, columns) float32, channels_last.

    Raises:
        MemoryError: there is too little memory for the transforms.
    """
    x = [_channels_last(part) for part in x if part.shape[2]]
    addend = [_channels_last(part) for part in addend if part.shape[2]]
    assert {part.dtype for part in (*x, *addend, weight, bias)} == {torch.float32}
    assert not addend or sum(part.shape[2] for part in addend) == out_rows
    batch, in_channels, _, columns = x[0].shape
    y = torch.empty((batch, len(bias), out_rows, columns), dtype=bias.dtype, memory_format=torch.channels_last)
    convolution = _Convolution(
        input=_rows(x),
        addend=_rows(addend),
        weight=weight.data_ptr(),
        bias=bias.data_ptr(),
        output=y.data_ptr(),
        batch=batch,
        rows=sum(part.shape[2] for part in x),
        columns=columns,
        in_channels=in_channels,
        out_channels=len(bias),
        out_rows=out_rows,
        padding_above=padding_above,
        relu=relu,
        is_transposed=is_transposed,
    )
    # Other threads run meanwhile: ctypes releases the GIL.
    if kernels.winograd_convolve(ctypes.byref(convolution), torch.get_num_threads(), _parallel()) != 0:
        raise MemoryError("there is too little memory for the transforms of a convolution")
    return y


@cache
def _parallel() -> ctypes.c_void_p | None:
    """Entry point that runs a function on PyTorch's OpenMP threads: they spin while idle and would slow down a second
    pool of threads.
    """
    function = getattr(ctypes.CDLL(None), "GOMP_parallel", None)
    return None if function is None else ctypes.cast(function, ctypes.c_void_p)


def _rows(parts: Sequence[Tensor]) -> "ctypes.Array[_Rows]":
    rows = [_Rows(part.data_ptr(), part.shape[2], part.stride(0), part.stride(2)) for part in parts]
    return (_Rows * MAX_PARTS)(*rows)


def _channels_last(x: Tensor) -> Tensor:
    """Return the tensor with dense channels and columns; gaps between rows and images may remain, as in slices."""
    is_dense = x.stride(1) == 1 and x.stride(3) == x.shape[1]
    return x if is_dense else x.clone(memory_format=torch.channels_last)
