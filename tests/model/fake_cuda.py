"""A simulated GPU: PyTorch's fake tensors have shapes, dtypes and devices, and operations refuse to mix devices."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

CUDA = torch.device("cuda:0")

_NUMPY_DTYPES = {torch.uint8: np.uint8, torch.float32: np.float32, torch.float64: np.float64}


@contextmanager
def fake_cuda() -> Iterator[None]:
    """Make every device ``CUDA`` while entered; all results are zeros."""
    with ExitStack() as patches:
        for target, stand_in in {
            "model.segmenter.choose_device": lambda _: CUDA,
            "model.segmenter.require_precision": lambda *_: None,
            "torch.nn.Module.to": _to,
            "torch.cuda.current_stream": mock.MagicMock(),
        }.items():
            patches.enter_context(mock.patch(target, stand_in))
        for name, method in {"numpy": _numpy, "nonzero": _nonzero}.items():
            patches.enter_context(mock.patch.object(FakeTensor, name, method, create=True))
        patches.enter_context(FakeTensorMode(allow_non_fake_inputs=True))
        yield


def on_fake_cuda(module: nn.Module, dtype: torch.dtype | None = None) -> None:
    """Move a module's parameters and buffers to the fake GPU, as ``Module.to`` does within ``fake_cuda``."""
    for part in module.modules():
        stores: tuple[dict[str, Any], ...] = part._parameters, part._buffers
        for tensors in stores:
            for name, tensor in tensors.items():
                if tensor is not None:
                    own = dtype if dtype is not None and tensor.is_floating_point() else tensor.dtype
                    there = torch.empty(tensor.shape, dtype=own, device=CUDA)
                    is_parameter = isinstance(tensor, nn.Parameter)
                    tensors[name] = nn.Parameter(there, tensor.requires_grad) if is_parameter else there


def _to(module: nn.Module, *wanted: torch.device | torch.dtype, **_: object) -> nn.Module:
    dtypes = [one for one in wanted if isinstance(one, torch.dtype)]
    on_fake_cuda(module, dtypes[0] if dtypes else None)
    return module


def _numpy(tensor: Tensor) -> NDArray[Any]:
    if tensor.device.type != "cpu":
        raise TypeError(f"a tensor on {tensor.device} is no array")
    return np.zeros(tuple(tensor.shape), _NUMPY_DTYPES[tensor.dtype])


def _nonzero(tensor: Tensor, *, as_tuple: bool = False) -> Tensor | tuple[Tensor, ...]:
    """Indices of three elements: the true number would depend on values, which fake tensors lack."""
    places = torch.zeros(3, tensor.ndim, dtype=torch.long, device=tensor.device)
    return places.unbind(1) if as_tuple else places
