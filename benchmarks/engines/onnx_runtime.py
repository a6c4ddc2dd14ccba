"""onnxruntime: float32, and int8 calibrated on photographs."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.engines.candidate import Body, Candidate, Engine
from benchmarks.engines.onnx_file import require, write_onnx


def candidates() -> list[Candidate]:
    return [
        Candidate("onnxruntime float32", _float32),
        Candidate("onnxruntime int8", _int8),
    ]


def _float32(body: Body) -> Engine:
    require("onnxruntime")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "float32.onnx"
        write_onnx(body, path)
        return _session(path, body.threads)


def _int8(body: Body) -> Engine:
    require("onnxruntime")
    from onnxruntime import quantization  # noqa: PLC0415 (an extra)

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._feeds = _feeds(body)

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            return next(self._feeds, None)

    with tempfile.TemporaryDirectory() as folder:
        whole, quantized = Path(folder) / "float32.onnx", Path(folder) / "int8.onnx"
        write_onnx(body, whole)
        quantization.quantize_static(
            whole,
            quantized,
            Reader(),
            quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "Add", "MaxPool", "Relu"],
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            calibrate_method=quantization.CalibrationMethod.MinMax,
        )
        return _session(quantized, body.threads)


def _feeds(body: Body) -> Iterator[dict[str, NDArray[np.float32]]]:
    for images in body.calibration:
        yield {"images": images.contiguous().numpy()}


def _session(path: Path, threads: int) -> Engine:
    import onnxruntime  # noqa: PLC0415 (an extra)

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])

    def run(images: Tensor) -> Tensor:
        return torch.from_numpy(session.run(["scores"], {"images": images.contiguous().numpy()})[0])

    return run
