"""Teacher networks: they predict class probabilities for an image."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

from model.checkpoint import Checkpoint
from model.labels import Labels
from model.segmenter import Segmenter
from training.data.soft_labels import SOFT_LABEL_STRIDE
from training.errors import TeacherError
from training.evaluation.augmented_prediction import Views

Probabilities = NDArray[np.float32]

_PADDING_COLOR = (127, 127, 127)

_WINDOW_OVERLAP = 0.25
"""Minimum overlap of neighbouring windows, as a share of their side."""


class Teacher(ABC):
    """Predicts class probabilities on a grid of cells of ``SOFT_LABEL_STRIDE`` pixels."""

    labels: Labels

    @abstractmethod
    def probabilities(self, image: NDArray[np.uint8]) -> Probabilities:
        """(height, width, 3) uint8 RGB -> (K, ceil(height / 8), ceil(width / 8)) float32, of sum 1 in each cell."""


class CheckpointTeacher(Teacher):
    """A teacher from a checkpoint of this project.

    Args:
        file: checkpoint of the teacher.
        device: device to compute on.
    """

    def __init__(self, file: Path, device: str) -> None:
        self._segmenter = Segmenter(Checkpoint.load(file), device)
        self.labels = self._segmenter.checkpoint.labels

    def probabilities(self, image: NDArray[np.uint8]) -> Probabilities:
        return _resize(self._segmenter.probabilities(image), *grid_size(image))


class TFLiteTeacher(Teacher):
    """A TensorFlow Lite network with a square input, such as DeepLab.

    The logits are the graph's first tensor of shape (1, n, n, K). In quantised graphs this is an inner tensor, because
    their output is often only the winning class.

    Args:
        file: the ``.tflite`` file, with an input (1, side, side, 3), float32 in -1..1 or uint8.
        labels: the classes, in the order of the logits.
        views: views of an image. At scale 1 its longer side fills the input and the rest is padded; at larger scales
            overlapping windows cover it. ``flip`` adds the mirror image of each window.

    Raises:
        TeacherError: the file is no such network, a scale is outside 0.25..8, or ``ai-edge-litert`` is not installed.
    """

    def __init__(self, file: Path, labels: Labels, views: Views) -> None:
        _require_scales(views)
        self._interpreter = _open_interpreter(file)
        (source, *_), tensors = self._interpreter.get_input_details(), self._interpreter.get_tensor_details()
        shape = [int(length) for length in source["shape"]]
        if len(shape) != 4 or shape[1] != shape[2] or shape[3] != 3 or source["dtype"] not in (np.float32, np.uint8):
            raise TeacherError(f"{file} reads {shape} {source['dtype'].__name__}: not a square RGB image")
        logits = next((tensor for tensor in tensors if _is_score_grid(tensor, len(labels))), None)
        if logits is None:
            raise TeacherError(f"{file} has no tensor of logits of {len(labels)} classes")
        self.labels = labels
        self._views = views
        self._side = shape[1]
        self._input, self._logits = source, logits

    def probabilities(self, image: NDArray[np.uint8]) -> Probabilities:
        rows, columns = grid_size(image)
        height, width = image.shape[:2]
        total = torch.zeros(len(self.labels), rows, columns)
        count = torch.zeros(rows, columns)
        for scale in self._views.scales:
            factor = scale * self._side / max(height, width)
            picture = Image.fromarray(image).resize(
                (max(1, round(width * factor)), max(1, round(height * factor))), Image.Resampling.BILINEAR
            )
            y = (torch.arange(rows) + 0.5) / rows * picture.height
            x = (torch.arange(columns) + 0.5) / columns * picture.width
            for top, left in self._windows(picture):
                inside_y, inside_x = _inside(y, top, self._side), _inside(x, left, self._side)
                window = _crop(picture, top, left, self._side)
                for mirrored in (False, True) if self._views.flip else (False,):
                    seen = self._look(window, y[inside_y] - top, x[inside_x] - left, mirrored=mirrored)
                    total[:, inside_y, inside_x] += seen
                    count[inside_y, inside_x] += 1
        return np.asarray((total / count).numpy())

    def _windows(self, picture: Image.Image) -> Iterator[tuple[int, int]]:
        for top in _origins(picture.height, self._side):
            for left in _origins(picture.width, self._side):
                yield top, left

    def _look(self, window: Image.Image, y: Tensor, x: Tensor, *, mirrored: bool) -> Tensor:
        """Predict probabilities at points of a window, given in its pixels: (K, len(y), len(x))."""
        pixels = np.asarray(window)
        if mirrored:
            pixels, x = pixels[:, ::-1], self._side - x
        logits = self._infer(pixels)
        # For networks whose grid ends on the corner pixels (513 = 16 * 32 + 1).
        corners = (self._side - 1) % (logits.shape[-1] - 1) == 0
        y, x = (
            2 * (places - 0.5) / (self._side - 1) - 1 if corners else 2 * places / self._side - 1 for places in (y, x)
        )
        points = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)[None]
        sampled = functional.grid_sample(logits[None], points, padding_mode="border", align_corners=corners)[0]
        return sampled.softmax(dim=0)

    def _infer(self, pixels: NDArray[np.uint8]) -> Tensor:
        """Compute the logits of an image of the network's size: (K, n, n) float32."""
        values = pixels if self._input["dtype"] is np.uint8 else pixels.astype(np.float32) / 127.5 - 1
        self._interpreter.set_tensor(self._input["index"], np.ascontiguousarray(values)[None])
        self._interpreter.invoke()
        logits = self._interpreter.get_tensor(self._logits["index"])[0].astype(np.float32)
        scale, zero = self._logits["quantization"]
        if scale:
            logits = (logits - zero) * scale
        return torch.from_numpy(logits).permute(2, 0, 1)


def _open_interpreter(file: Path) -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 (an optional extra)
    except ImportError as error:
        raise TeacherError("TensorFlow Lite networks need ai-edge-litert: install the extra 'teacher'") from error
    try:
        with warnings.catch_warnings():
            # Inner tensors are lost without this option, which warns that they take memory.
            warnings.filterwarnings("ignore", ".*experimental_preserve_all_tensors", UserWarning)
            interpreter = Interpreter(
                str(file), num_threads=torch.get_num_threads(), experimental_preserve_all_tensors=True
            )
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise TeacherError(f"{file} is no TensorFlow Lite network: {error}") from error
    return interpreter


def _is_score_grid(tensor: dict[str, Any], num_classes: int) -> bool:
    shape = [int(length) for length in tensor["shape"]]
    return len(shape) == 4 and shape[0] == 1 and shape[1] == shape[2] > 1 and shape[3] == num_classes


def _inside(places: Tensor, origin: int, side: int) -> slice:
    """Return the slice of the ascending places that lie in a window."""
    first, last = torch.searchsorted(places, torch.tensor([origin, origin + side], dtype=places.dtype)).tolist()
    return slice(first, last)


def _crop(picture: Image.Image, top: int, left: int, side: int) -> Image.Image:
    """Cut a square out of a picture, padded outside it."""
    window = Image.new("RGB", (side, side), _PADDING_COLOR)
    window.paste(picture, (-left, -top))
    return window


def grid_size(image: NDArray[np.uint8]) -> tuple[int, int]:
    """Return the rows and columns of an image's grid of cells."""
    height, width = image.shape[:2]
    return -(-height // SOFT_LABEL_STRIDE), -(-width // SOFT_LABEL_STRIDE)


def _resize(probabilities: Probabilities, rows: int, columns: int) -> Probabilities:
    """Resize (K, h, w) -> (K, rows, columns), antialiased when shrinking."""
    grid = torch.from_numpy(probabilities)[None]
    scaled = functional.interpolate(grid, (rows, columns), mode="bilinear", align_corners=False, antialias=True)
    return np.asarray(scaled[0].numpy())


def _origins(length: int, side: int) -> list[int]:
    """Starts of the windows along ``length``: evenly spaced, so that they cover it and overlap."""
    if length <= side:
        return [0]
    count = ceil((length - side) / (side * (1 - _WINDOW_OVERLAP))) + 1
    return [round(number * (length - side) / (count - 1)) for number in range(count)]


def _require_scales(views: Views) -> None:
    if not views.scales or not all(0.25 <= scale <= 8 for scale in views.scales):
        raise TeacherError(f"a teacher's scales are in 0.25..8, not {list(views.scales)}")
