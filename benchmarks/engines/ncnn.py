"""ncnn: float32 and bfloat16, with Winograd convolutions."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.engines.candidate import Body, Candidate, Engine, UnavailableError
from benchmarks.engines.onnx_file import require
from model.streaming import Program, trace_scores
from model.streaming.operations import (
    Addition,
    AveragePooling,
    Concatenation,
    Convolution,
    MaxPooling,
    Operation,
    Upsample,
)

_MAGIC = 7767517
"""First line of ncnn's parameter files."""


def candidates() -> list[Candidate]:
    return [Candidate("ncnn float32", _float32), Candidate("ncnn bfloat16", _bfloat16)]


def _float32(body: Body) -> Engine:
    return _engine(body, bfloat16=False)


def _bfloat16(body: Body) -> Engine:
    return _engine(body, bfloat16=True)


def _engine(body: Body, *, bfloat16: bool) -> Engine:
    require("ncnn")
    import ncnn  # noqa: PLC0415 (measured if there)

    net: Any = ncnn.Net()
    net.opt.num_threads = body.threads
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    net.opt.use_bf16_storage = bfloat16
    with tempfile.TemporaryDirectory() as folder:
        writer = _Writer(trace_scores(body.copy()))
        parameters, weights = Path(folder) / "body.param", Path(folder) / "body.bin"
        parameters.write_text(writer.text())
        weights.write_bytes(b"".join(writer.weights))
        if net.load_param(str(parameters)) or net.load_model(str(weights)):
            raise UnavailableError("ncnn cannot load the network")

    def run(images: Tensor) -> Tensor:
        extractor = net.create_extractor()
        pixels = images[0].contiguous().numpy()  # must outlive the extraction: ncnn does not copy it
        extractor.input("v0", ncnn.Mat(pixels))
        _, scores = extractor.extract(writer.output)
        return torch.from_numpy(np.array(scores))[None]

    return run


class _Writer:
    """Converts a program to ncnn's format, in which each output has one reader.

    Attributes:
        weights: weight and bias of each convolution, as bytes.
        output: name of the blob with the scores.
    """

    def __init__(self, program: Program) -> None:
        self._lines: list[str] = []
        self._blobs = 0
        readers = [sum(number in step.inputs for step in program.steps) for number in range(len(program.steps) + 1)]
        unread = [[f"v{number}"] for number in range(len(readers))]
        self.weights: list[bytes] = []
        self.output = f"v{len(program.steps)}"
        self._layer("Input", [], ["v0"])
        for number, step in enumerate(program.steps, start=1):
            self._operation(step.operation, [unread[source].pop() for source in step.inputs], f"v{number}")
            if readers[number] > 1:
                unread[number] = [f"v{number}_{copy}" for copy in range(readers[number])]
                self._layer("Split", [f"v{number}"], unread[number])

    def text(self) -> str:
        return f"{_MAGIC}\n{len(self._lines)} {self._blobs}\n" + "".join(f"{line}\n" for line in self._lines)

    def _layer(self, kind: str, inputs: Sequence[str], outputs: Sequence[str], parameters: str = "") -> None:
        counts = f"{len(inputs)} {len(outputs)}"
        self._lines.append(" ".join([kind, f"layer{len(self._lines)}", counts, *inputs, *outputs, parameters]))
        self._blobs += len(outputs)

    def _operation(self, operation: Operation, inputs: Sequence[str], output: str) -> None:
        match operation:
            case Convolution():
                self._convolution(operation, inputs, output)
            case MaxPooling(window) | AveragePooling(window):
                kind = int(isinstance(operation, AveragePooling))
                parameters = f"0={kind} 1={window.size} 2={window.stride} 3={window.padding} 5=1 6=0"
                self._layer("Pooling", inputs, [output], parameters)
            case Concatenation():
                self._layer("Concat", inputs, [output], "0=0")
            case Addition():
                self._layer("BinaryOp", inputs, [output], "0=0")
            case Upsample() if not isinstance(operation.enlarge, torch.nn.Module):
                self._layer("Interp", inputs, [output], f"0=2 1={operation.factor} 2={operation.factor}")
            case _:
                raise UnavailableError(f"no ncnn layer corresponds to {operation}")

    def _convolution(self, convolution: Convolution, inputs: Sequence[str], output: str) -> None:
        weight, window = convolution.weight.contiguous(), convolution.window
        has_relu = convolution.relu and not convolution.adds
        parameters = (
            f"0={weight.shape[0]} 1={window.size} 3={window.stride} 4={window.padding} 5=1 6={weight.numel()} "
            f"9={int(has_relu)}"
        )
        convolved = f"{output}_convolved" if convolution.adds else output
        self._layer("Convolution", inputs[:1], [convolved], parameters)
        float32 = bytes(4)  # storage type of the weight
        self.weights.append(float32 + weight.numpy().tobytes() + convolution.bias.numpy().tobytes())
        if convolution.adds:
            total = f"{output}_total" if convolution.relu else output
            self._layer("BinaryOp", [convolved, inputs[1]], [total], "0=0")
            if convolution.relu:
                self._layer("ReLU", [total], [output])
