"""The choice of the device to compute on, and the interpretation of its errors."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from model.errors import DeviceError

_logger = logging.getLogger(__name__)

_CUDNN_PLANS_VARIABLE = "TORCH_CUDNN_V8_API_LRU_CACHE_LIMIT"
"""PyTorch's environment variable for the number of plans that cuDNN caches per thread."""

_MAX_CUDNN_PLANS = 1000
"""Plans cached per thread if the variable is not set; PyTorch's 10,000 take up to 2 GiB of host memory per thread."""

_DEVICE_FILES = Path("/dev")

_OUT_OF_MEMORY_MESSAGES = (
    "out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "ALLOCATION_FAILED",
    "can't allocate memory",
)
"""Substrings of RuntimeErrors that report a lack of memory; PyTorch has an exception class only for its own CUDA
allocator.
"""


def choose_device(name: str) -> torch.device:
    """Return the named device: ``cpu``, ``cuda``, ``cuda:1``, ... or ``auto``, which is CUDA if usable, else the CPU.

    Limits the memory of cuDNN's plans, unless the environment does. Logs a warning if ``auto`` selects the CPU although
    there is an NVIDIA GPU.

    Raises:
        DeviceError: the device is unknown to torch, absent, or fails to compute.
    """
    if name == "auto":
        name = "cuda" if _is_cuda_usable() else "cpu"
    try:
        device = torch.device(name)
        if device.type == "cuda":
            os.environ.setdefault(_CUDNN_PLANS_VARIABLE, str(_MAX_CUDNN_PLANS))
        _require_known_architecture(device)
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, NotImplementedError, ImportError, torch.cuda.DeferredCudaCallError) as error:
        raise DeviceError(f"device {name!r} cannot be used: {_first_line(error)}") from error
    return device


def max_cudnn_plans() -> int:
    """Return the maximum number of convolution plans that cuDNN caches for each thread that computes on a GPU."""
    value = os.environ.get(_CUDNN_PLANS_VARIABLE, "")
    return int(value) if value.isdigit() else _MAX_CUDNN_PLANS


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of PyTorch or of the libraries below it reports that the device is out of memory."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(message in str(error) for message in _OUT_OF_MEMORY_MESSAGES)


@contextmanager
def device_errors(device: torch.device) -> Iterator[None]:
    """Turn errors of the device into DeviceError, while a network is moved to it.

    On a CPU, errors other than a lack of memory are bugs in this package and propagate unchanged.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if device.type == "cpu" and not is_out_of_memory(error):
            raise
        fault = "has too little memory" if is_out_of_memory(error) else "failed"
        raise DeviceError(f"device '{device}' {fault}: {_first_line(error)}") from error


def _is_cuda_usable() -> bool:
    """Whether PyTorch finds CUDA; logs a warning if it does not although there is a GPU."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        is_usable = torch.cuda.is_available()
    if not is_usable and any(_DEVICE_FILES.glob("nvidia[0-9]*")):
        reasons = [str(warning.message).splitlines()[0] for warning in caught]
        reason = reasons[0] if reasons else f"PyTorch {torch.__version__} does not find CUDA"
        _logger.warning("there is an NVIDIA GPU, but it is not used: %s", reason)
    return is_usable


def _first_line(error: BaseException) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__


def _require_known_architecture(device: torch.device) -> None:
    """Refuse a GPU older than any that this PyTorch was compiled for: it would fail at the first kernel."""
    if device.type != "cuda":
        return
    compiled = [name.removeprefix("sm_") for name in torch.cuda.get_arch_list() if name.startswith("sm_")]
    oldest = min((int(number) for number in compiled if number.isdigit()), default=0)
    major, minor = torch.cuda.get_device_capability(device)
    if 10 * major + minor < oldest:
        name = torch.cuda.get_device_name(device)
        raise DeviceError(
            f"device '{device}' cannot be used: {name} has compute capability {major}.{minor}, and this PyTorch needs "
            f"{oldest // 10}.{oldest % 10} or newer"
        )
