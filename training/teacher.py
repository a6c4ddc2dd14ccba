"""Networks to learn from, and what they make of a photograph."""

from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional

from model.checkpoint import Checkpoint
from model.labels import Labels
from model.segmenter import Segmenter
from training.errors import TeacherError
from training.soft_labels import SOFT_LABEL_STRIDE

Probabilities = NDArray[np.float32]


class Teacher(ABC):
    """Gives the probability of each class on a grid of cells of ``SOFT_LABEL_STRIDE`` pixels."""

    labels: Labels

    @abstractmethod
    def probabilities(self, image: NDArray[np.uint8]) -> Probabilities:
        """(height, width, 3) uint8 RGB -> (K, ceil(height / 4), ceil(width / 4)) float32, of sum 1 in each cell."""


class CheckpointTeacher(Teacher):
    """One of our own networks.

    Args:
        file: its checkpoint.
        device: to compute on.
    """

    def __init__(self, file: Path, device: str) -> None:
        self._segmenter = Segmenter(Checkpoint.load(file), device)
        self.labels = self._segmenter.checkpoint.labels

    def probabilities(self, image: NDArray[np.uint8]) -> Probabilities:
        return resize(self._segmenter.probabilities(image), *grid_size(image))


class WindowTeacher(Teacher):
    """A TensorFlow Lite network of fixed input size, such as DeepLab, that looks at an image through several windows.

    The whole image, squares as high or as wide as the image, and squares of three quarters of that are each scaled to
    the network's input, every other one mirrored; their probabilities are averaged where they overlap.

    Args:
        file: the ``.tflite`` file: input (1, side, side, 3) in -1..1, output (1, side, side, K) logits in the order of
            ``labels``.
        labels: the classes.

    Raises:
        TeacherError: the file is no such network, or ``ai-edge-litert`` is not installed.
    """

    def __init__(self, file: Path, labels: Labels) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 (an optional extra)
        except ImportError as error:
            raise TeacherError("TensorFlow Lite networks need ai-edge-litert: install the extra 'teacher'") from error
        try:
            self._interpreter = Interpreter(str(file), num_threads=torch.get_num_threads())
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise TeacherError(f"{file} is no TensorFlow Lite network: {error}") from error
        (source,), (result,) = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        _, height, width, channels = source["shape"].tolist()
        if height != width or channels != 3 or result["shape"].tolist() != [1, height, width, len(labels)]:
            raise TeacherError(f"{file} reads {source['shape']} and gives {result['shape']}: not what is wanted")
        self.labels = labels
        self._side = height
        self._input, self._output = source["index"], result["index"]

    def probabilities(self, image: NDArray[np.uint8]) -> Probabilities:
        rows, columns = grid_size(image)
        picture = Image.fromarray(image).resize(
            (columns * SOFT_LABEL_STRIDE, rows * SOFT_LABEL_STRIDE), Image.Resampling.BILINEAR
        )
        total = np.zeros((len(self.labels), rows, columns), dtype=np.float32)
        count = np.zeros((rows, columns), dtype=np.float32)
        for number, (top, left, side) in enumerate(_windows(rows, columns)):
            bottom, right = min(rows, top + side), min(columns, left + side)
            window = _cut(picture, top, left, side)
            seen = resize(self.look(window, mirrored=number % 2 == 1), side, side)
            total[:, top:bottom, left:right] += seen[:, : bottom - top, : right - left]
            count[top:bottom, left:right] += 1
        return total / count

    def look(self, picture: Image.Image, *, mirrored: bool = False) -> Probabilities:
        """Probabilities of a picture that is scaled to the network's input: (K, side, side) float32."""
        pixels = np.asarray(picture.resize((self._side, self._side), Image.Resampling.BILINEAR), dtype=np.float32)
        if mirrored:
            pixels = pixels[:, ::-1]
        self._interpreter.set_tensor(self._input, pixels[None] / 127.5 - 1)
        self._interpreter.invoke()
        logits = torch.from_numpy(self._interpreter.get_tensor(self._output)[0].copy())
        seen = logits.softmax(dim=-1).permute(2, 0, 1)
        return np.ascontiguousarray((seen.flip(-1) if mirrored else seen).numpy())


def _cut(picture: Image.Image, top: int, left: int, side: int) -> Image.Image:
    """A square of cells of a picture; grey where it lies outside."""
    window = Image.new("RGB", (side * SOFT_LABEL_STRIDE, side * SOFT_LABEL_STRIDE), (127, 127, 127))
    window.paste(picture, (-left * SOFT_LABEL_STRIDE, -top * SOFT_LABEL_STRIDE))
    return window


def grid_size(image: NDArray[np.uint8]) -> tuple[int, int]:
    """Rows and columns of the cells of an image."""
    height, width = image.shape[:2]
    return -(-height // SOFT_LABEL_STRIDE), -(-width // SOFT_LABEL_STRIDE)


def resize(probabilities: Probabilities, rows: int, columns: int) -> Probabilities:
    """(K, h, w) -> (K, rows, columns), smoothed where it shrinks."""
    grid = torch.from_numpy(probabilities)[None]
    scaled = functional.interpolate(grid, (rows, columns), mode="bilinear", align_corners=False, antialias=True)
    return np.asarray(scaled[0].numpy())


def _windows(rows: int, columns: int) -> list[tuple[int, int, int]]:
    """Top, left and side of each window, in cells; the first covers all and more."""
    short = min(rows, columns)
    sides = [short, max(1, 3 * short // 4)]
    return [
        (0, 0, max(rows, columns)),
        *((top, left, side) for side in sides for left in _places(columns, side) for top in _places(rows, side)),
    ]


def _places(length: int, side: int) -> list[int]:
    """Where windows start along ``length``: at the ends, and in the middle if that leaves a wide gap."""
    places = {0, length - side}
    if length > 1.5 * side:
        places.add((length - side) // 2)
    return sorted(places)
