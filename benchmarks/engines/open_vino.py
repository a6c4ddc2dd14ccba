"""OpenVINO: float32, bfloat16, and int8 that NNCF calibrates on photographs."""

import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.engines.candidate import Body, Candidate, Engine
from benchmarks.engines.eager import require_bfloat16
from benchmarks.engines.onnx_file import require, write_onnx


def candidates() -> list[Candidate]:
    return [
        Candidate("OpenVINO float32", _float32),
        Candidate("OpenVINO bfloat16", _bfloat16),
        Candidate("OpenVINO int8", _int8),
    ]


def _float32(body: Body) -> Engine:
    return _compile(_model(body), "f32", body.threads)


def _bfloat16(body: Body) -> Engine:
    require_bfloat16()
    return _compile(_model(body), "bf16", body.threads)


def _int8(body: Body) -> Engine:
    return _compile(_quantized(body), "f32", body.threads)


def _model(body: Body) -> Any:
    require("openvino")
    import openvino  # noqa: PLC0415 (measured if there)

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "float32.onnx"
        write_onnx(body, path)
        return openvino.Core().read_model(path.read_bytes())


def _quantized(body: Body) -> Any:
    require("openvino", "nncf")
    import nncf  # noqa: PLC0415 (measured if there)

    arrays = [images.contiguous().numpy() for images in body.calibration]
    return nncf.quantize(
        _model(body),
        nncf.Dataset(arrays),
        subset_size=len(arrays),
        preset=nncf.QuantizationPreset.MIXED,
        target_device=nncf.TargetDevice.CPU,
    )


def _compile(model: Any, precision: str, threads: int) -> Engine:
    import openvino  # noqa: PLC0415 (measured if there)

    settings = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
    }
    request = openvino.Core().compile_model(model, "CPU", settings).create_infer_request()

    def run(images: Tensor) -> Tensor:
        request.infer([images.contiguous().numpy()])
        return torch.from_numpy(request.get_output_tensor(0).data.copy())

    return run
