import os
import subprocess
import sys

import pytest
import torch

from model.capabilities import available_precisions, require_precision
from model.device import choose_device
from model.errors import DeviceError
from model.precision import Precision

CPU, CUDA = torch.device("cpu"), torch.device("cuda:1")

_SAY = (
    "import torch; from model.capabilities import available_precisions; "
    "print(*available_precisions(torch.device('cpu')))"
)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU without bfloat16, as torch describes it."""
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda _: (7, 5))
    monkeypatch.setattr("torch.cuda.get_device_name", lambda _: "Tesla T4")
    monkeypatch.setattr("torch.cuda.get_arch_list", lambda: ["sm_75", "sm_80", "sm_90", "sm_90a", "compute_90"])


@pytest.mark.parametrize("device", [CPU, torch.device("mps")])
def test_every_device_computes_in_float32(device: torch.device) -> None:
    assert available_precisions(device)[0] is Precision.FLOAT32
    require_precision(Precision.FLOAT32, device)


@pytest.mark.every_cpu
def test_what_is_available_is_not_refused_and_the_rest_is() -> None:
    for precision in set(Precision) - {Precision.AUTO}:
        if precision in available_precisions(CPU):
            require_precision(precision, CPU)
        else:
            with pytest.raises(DeviceError, match=f"device 'cpu' does not support {precision}: it needs a CPU with"):
                require_precision(precision, CPU)


@pytest.mark.parametrize("isa", ["AVX2", "SSE41"])
def test_what_onednn_may_not_use_is_not_available(isa: str) -> None:
    environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": isa, "ATEN_CPU_CAPABILITY": "default"}
    command = [sys.executable, "-c", _SAY]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["float32", "float64"]


@pytest.mark.usefixtures("gpu")
def test_an_old_gpu_has_no_bfloat16_and_no_gpu_has_int8() -> None:
    assert available_precisions(CUDA) == (Precision.FLOAT32, Precision.FLOAT64)
    with pytest.raises(DeviceError, match=r"support bfloat16: it needs .* 8\.0, but Tesla T4 has 7\.5; supported"):
        require_precision(Precision.BFLOAT16, CUDA)
    with pytest.raises(DeviceError, match=r"'cuda:1' does not support int8: it needs a CPU with VNNI; supported"):
        require_precision(Precision.INT8, CUDA)


def test_a_newer_gpu_has_bfloat16(gpu: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda _: (8, 0))
    assert available_precisions(CUDA) == (Precision.FLOAT32, Precision.BFLOAT16, Precision.FLOAT64)


def test_a_gpu_older_than_all_that_torch_was_compiled_for_is_refused(
    gpu: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda _: (6, 1))
    with pytest.raises(DeviceError, match=r"has compute capability 6\.1, and this PyTorch needs 7\.5 or newer"):
        choose_device("cuda:1")
