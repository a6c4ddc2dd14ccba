import logging
import os
import warnings
from pathlib import Path

import pytest
import torch

from model.device import choose_device, device_errors, is_out_of_memory, max_cudnn_plans
from model.errors import DeviceError

CUDA, CPU = torch.device("cuda"), torch.device("cpu")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (torch.AcceleratorError("CUDA error: out of memory"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory"), True),
        (MemoryError(), True),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_a_lack_of_memory_is_known_by_all_its_names(error: Exception, expected: bool) -> None:
    assert is_out_of_memory(error) is expected


@pytest.mark.parametrize(
    ("device", "error", "message"),
    [
        (CUDA, torch.OutOfMemoryError("CUDA out of memory.\nmore"), "device 'cuda' has too little memory: CUDA out of"),
        (CUDA, RuntimeError("CUDA error: unspecified"), "device 'cuda' failed: CUDA error: unspecified"),
        (CPU, MemoryError(), "device 'cpu' has too little memory: MemoryError"),
    ],
)
def test_what_fails_while_a_network_is_loaded_is_a_device_error(
    device: torch.device, error: Exception, message: str
) -> None:
    with pytest.raises(DeviceError, match=message), device_errors(device):
        raise error


def test_an_error_of_ours_on_a_cpu_stays_what_it_is() -> None:
    with pytest.raises(RuntimeError, match="shapes"), device_errors(CPU):
        raise RuntimeError("shapes do not match")


def test_a_call_that_cuda_deferred_is_a_device_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise torch.cuda.DeferredCudaCallError("CUDA call failed lazily at initialization with error: x\n\nlong")

    monkeypatch.setattr("torch.zeros", fail)
    with pytest.raises(DeviceError, match=r"device 'cpu' cannot be used: CUDA call failed lazily .* error: x$"):
        choose_device("cpu")


@pytest.mark.parametrize("has_gpu", [True, False])
def test_a_gpu_that_cannot_be_used_is_told(
    has_gpu: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    def is_available() -> bool:
        warnings.warn("The NVIDIA driver on your system is too old (found version 12020).\nUpdate", stacklevel=1)
        return False

    if has_gpu:
        (tmp_path / "nvidia0").touch()
    monkeypatch.setattr("model.device._DEVICE_FILES", tmp_path)
    monkeypatch.setattr("torch.cuda.is_available", is_available)
    with caplog.at_level(logging.WARNING):
        assert choose_device("auto") == CPU
    told = "there is an NVIDIA GPU, but it is not used: The NVIDIA driver on your system is too old"
    assert caplog.messages == ([f"{told} (found version 12020)."] if has_gpu else [])


def test_cudnns_plans_are_bounded_unless_the_environment_bounds_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.get_arch_list", list)
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda _: (9, 0))
    monkeypatch.setattr("torch.zeros", lambda *_, **__: torch.ones(1))
    monkeypatch.delenv("TORCH_CUDNN_V8_API_LRU_CACHE_LIMIT", raising=False)
    choose_device("cuda")
    assert max_cudnn_plans() == int(os.environ["TORCH_CUDNN_V8_API_LRU_CACHE_LIMIT"]) == 1000
    monkeypatch.setenv("TORCH_CUDNN_V8_API_LRU_CACHE_LIMIT", "50")
    choose_device("cuda")
    assert max_cudnn_plans() == 50
