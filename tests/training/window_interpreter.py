"""Stand-in for TensorFlow Lite: a network of fixed input size that recognises classes by the red of their pixels."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

SIDE = 64
RED_STEP = 50
"""Difference of red from one class to the next."""

_LOGIT_SCALE, _LOGIT_ZERO = 0.5, 250


class RedInterpreter:
    """Implements the part of ``ai_edge_litert.interpreter.Interpreter`` that the trainer uses."""

    num_classes: ClassVar[int] = 4
    input_shape: ClassVar[tuple[int, ...]] = (1, SIDE, SIDE, 3)
    quantized: ClassVar[bool] = False
    """Whether input pixels and output logits are uint8."""

    def __init__(self, model_path: str, num_threads: int, *, experimental_preserve_all_tensors: bool) -> None:
        assert experimental_preserve_all_tensors
        if not Path(model_path).is_file():
            raise ValueError(f"could not open {model_path!r}")
        assert num_threads >= 1
        self._pixels = np.zeros(self.input_shape, dtype=np.uint8)

    def allocate_tensors(self) -> None:
        pass

    def get_input_details(self) -> list[dict[str, Any]]:
        dtype = np.uint8 if self.quantized else np.float32
        return [{"index": 3, "shape": np.array(self.input_shape), "dtype": dtype}]

    def get_tensor_details(self) -> list[dict[str, Any]]:
        grid, winners = [*self.input_shape[:3], self.num_classes], [*self.input_shape[:3], 1]
        quantization = (_LOGIT_SCALE, _LOGIT_ZERO) if self.quantized else (0.0, 0)
        return [
            {"index": 3, "shape": np.array(self.input_shape), "quantization": (0.0, 0)},
            {"index": 7, "shape": np.array(grid), "quantization": quantization},
            {"index": 9, "shape": np.array(winners), "quantization": (0.0, 0)},
        ]

    def set_tensor(self, index: int, pixels: NDArray[np.float32] | NDArray[np.uint8]) -> None:
        assert index == 3
        assert pixels.shape == self.input_shape
        if self.quantized:
            assert pixels.dtype == np.uint8
            self._pixels = pixels.astype(np.uint8)
        else:
            assert pixels.dtype == np.float32
            assert np.abs(pixels).max() <= 1
            self._pixels = np.rint((pixels + 1) * 127.5).astype(np.uint8)

    def invoke(self) -> None:
        pass

    def get_tensor(self, index: int) -> NDArray[np.float32] | NDArray[np.uint8]:
        assert index == 7
        distances = np.abs(self._pixels[..., :1] - RED_STEP * np.arange(self.num_classes, dtype=np.float32))
        logits = np.asarray(-2 * distances, dtype=np.float32)
        if not self.quantized:
            return logits
        return np.asarray(np.clip(np.rint(logits / _LOGIT_SCALE) + _LOGIT_ZERO, 0, 255), dtype=np.uint8)


def install(monkeypatch: pytest.MonkeyPatch, interpreter: type[RedInterpreter]) -> None:
    """Make ``from ai_edge_litert.interpreter import Interpreter`` import ``interpreter``."""
    module = ModuleType("ai_edge_litert.interpreter")
    module.Interpreter = interpreter  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ai_edge_litert", ModuleType("ai_edge_litert"))
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", module)
