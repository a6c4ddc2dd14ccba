"""3x3 convolutions of stride 1 with a quarter of the multiplications (winograd.c).

PyTorch has no such kernel for channels_last, and those of the engines that have one are not to be had layer by layer.
Where the package was installed without a C compiler there is none here either.
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
"""Points at which a tile is multiplied."""

MAX_PARTS = 3
"""Tensors that the rows of an input may lie in."""

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
    """The kernels for this CPU's instruction set; None if there are none."""
    capability = torch.backends.cpu.get_cpu_capability()
    name = {"AVX512": "winograd_avx512", "AVX2": "winograd_avx2"}.get(capability, "winograd_generic")
    spec = find_spec(f"model.kernels.{name}")
    if spec is None or spec.origin is None:
        _logger.warning("installed without a C compiler, so that float32 takes twice as long; install again with one")
        return None
    if _parallel() is None:
        _logger.warning("this PyTorch has no threads of OpenMP to compute on, so that float32 takes twice as long")
        return None
    kernels = ctypes.CDLL(spec.origin)
    size = getattr(kernels, "winograd_convolution_size", None)
    if size is None or size() != ctypes.sizeof(_Convolution):
        _logger.warning("the kernels are of another version, so that float32 takes twice as long; install again")
        return None
    sizes, pointers = [ctypes.c_ssize_t] * 2, [ctypes.c_void_p] * 2
    kernels.winograd_transform_weight.argtypes = [*pointers, *sizes]
    kernels.winograd_convolve.argtypes = [ctypes.POINTER(_Convolution), ctypes.c_ssize_t, ctypes.c_void_p]
    return kernels


def channel_multiple(kernels: ctypes.CDLL) -> int:
    """What numbers of channels have to be multiples of."""
    return int(kernels.winograd_channels())


def transform_weight(kernels: ctypes.CDLL, weight: Tensor) -> Tensor:
    """A weight as ``convolve`` wants it: (out channels, in channels, 3, 3) float32 -> four times as many numbers."""
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
    """Convolution, sum and ReLU, on as many threads as PyTorch takes; a zero column is beyond either side.

    Args:
        kernels: ``library()``.
        x: (batch, in channels, rows, columns) float32, in at most ``MAX_PARTS`` tensors, one below the other.
        weight: transformed by ``transform_weight``.
        bias: (out channels,) float32.
        addend: (batch, out channels, out_rows, columns) float32, in tensors like x; none if nothing is added.
        relu: whether negative outputs become 0.
        padding_above: rows of zeros above those of x; below them there are as many as are needed.
        out_rows: rows of the output.
        is_transposed: whether kernels are taken with rows for columns.

    Returns:
        (batch, out channels, out_rows, columns) float32, channels_last.

    Raises:
        MemoryError: there is none for the transforms.
    """
    x = [_channels_last(part) for part in x]
    addend = [_channels_last(part) for part in addend]
    assert {part.dtype for part in (*x, *addend, weight, bias)} == {torch.float32}
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
    # Other threads run meanwhile: ctypes lets go of the interpreter.
    if kernels.winograd_convolve(ctypes.byref(convolution), torch.get_num_threads(), _parallel()) != 0:
        raise MemoryError("there is no memory for the transforms of a convolution")
    return y


@cache
def _parallel() -> ctypes.c_void_p | None:
    """What runs a function on PyTorch's own threads: they wait for work awake, and would be in the way of others."""
    function = getattr(ctypes.CDLL(None), "GOMP_parallel", None)
    return None if function is None else ctypes.cast(function, ctypes.c_void_p)


def _rows(parts: Sequence[Tensor]) -> "ctypes.Array[_Rows]":
    rows = [_Rows(part.data_ptr(), part.shape[2], part.stride(0), part.stride(2)) for part in parts]
    return (_Rows * MAX_PARTS)(*rows)


def _channels_last(x: Tensor) -> Tensor:
    """The tensor with its channels side by side, and its columns; rows and images may be apart, as slices are."""
    is_dense = x.stride(1) == 1 and x.stride(3) == x.shape[1]
    return x if is_dense else x.clone(memory_format=torch.channels_last)
