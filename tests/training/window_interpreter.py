"""In place of TensorFlow Lite: a network of fixed input size that knows classes by the red of their pixels."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

SIDE = 64
RED_STEP = 50
"""Of red, from one class to the next."""


class RedInterpreter:
    """Has the part of ``ai_edge_litert.interpreter.Interpreter`` that is used."""

    num_classes: ClassVar[int] = 4
    input_shape: ClassVar[tuple[int, ...]] = (1, SIDE, SIDE, 3)

    def __init__(self, model_path: str, num_threads: int) -> None:
        if not Path(model_path).is_file():
            raise ValueError(f"could not open {model_path!r}")
        assert num_threads >= 1
        self._pixels = np.zeros(self.input_shape, dtype=np.float32)

    def allocate_tensors(self) -> None:
        pass

    def get_input_details(self) -> list[dict[str, Any]]:
        return [{"index": 3, "shape": np.array(self.input_shape)}]

    def get_output_details(self) -> list[dict[str, Any]]:
        return [{"index": 7, "shape": np.array([*self.input_shape[:3], self.num_classes])}]

    def set_tensor(self, index: int, pixels: NDArray[np.float32]) -> None:
        assert index == 3
        assert pixels.dtype == np.float32
        assert pixels.shape == self.input_shape
        assert np.abs(pixels).max() <= 1
        self._pixels = pixels

    def invoke(self) -> None:
        pass

    def get_tensor(self, index: int) -> NDArray[np.float32]:
        assert index == 7
        red = (self._pixels[..., :1] + 1) * 127.5
        distances = np.abs(red - RED_STEP * np.arange(self.num_classes, dtype=np.float32))
        return np.asarray(-2 * distances, dtype=np.float32)


def install(monkeypatch: pytest.MonkeyPatch, interpreter: type[RedInterpreter]) -> None:
    """Let ``from ai_edge_litert.interpreter import Interpreter`` give it."""
    module = ModuleType("ai_edge_litert.interpreter")
    module.Interpreter = interpreter  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ai_edge_litert", ModuleType("ai_edge_litert"))
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", module)
