"""A teacher's soft labels of an image: class probabilities on a coarse grid, stored in a file."""

import zlib
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from model.files import replacing
from training.errors import DatasetError

SOFT_LABEL_STRIDE = 8
"""Side of a cell of a teacher's probabilities, in pixels."""


@dataclass(frozen=True, slots=True)
class SoftLabels:
    """Class probabilities on a grid.

    Attributes:
        probabilities: (K, rows, columns), uint8, 255 times the probability; the grid covers the image, row 0 at the
            top, with cells of ``SOFT_LABEL_STRIDE`` pixels or slightly less.
    """

    probabilities: NDArray[np.uint8]

    def save(self, file: Path) -> None:
        """Write an ``.npz`` file atomically."""
        with replacing(file) as unfinished, unfinished.open("wb") as stream:
            np.savez_compressed(stream, probabilities=self.probabilities)

    @classmethod
    def load(cls, file: Path, num_classes: int) -> "SoftLabels":
        """Read a file written by ``save``.

        Raises:
            DatasetError: the file is missing, damaged or for other classes.
        """
        if not file.is_file():
            raise DatasetError(f"{file} is missing")
        try:
            with file.open("rb") as stream, np.load(stream) as arrays:
                probabilities = arrays["probabilities"]
        except (OSError, ValueError, KeyError, EOFError, TypeError, RuntimeError, BadZipFile, zlib.error) as error:
            raise DatasetError(f"{file} holds no soft labels: {error}") from error
        if probabilities.dtype != np.uint8 or probabilities.ndim != 3 or probabilities.shape[0] != num_classes:
            raise DatasetError(
                f"{file} holds {probabilities.shape} {probabilities.dtype}, not uint8 of {num_classes} classes"
            )
        return cls(probabilities)

    def sample(self, rows: Tensor, columns: Tensor) -> Tensor:
        """Interpolate the probabilities at points of the image.

        Args:
            rows: (h,) float, 0 at the image's upper edge, 1 at its lower edge.
            columns: (w,) float, 0 at the left edge, 1 at the right edge.

        Returns:
            (K, h, w) float32; 0 at points outside the image.
        """
        grid = torch.from_numpy(self.probabilities).float().div_(255)[None]
        y, x = torch.meshgrid(rows * 2 - 1, columns * 2 - 1, indexing="ij")
        points = torch.stack([x, y], dim=-1)[None]
        values = functional.grid_sample(grid, points, padding_mode="border", align_corners=False)[0]
        return values * ((y.abs() <= 1) & (x.abs() <= 1))
