"""What is known of images without masks: their class, or boxes around their objects; a teacher is held to it."""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from model.errors import first_fault
from model.labels import Labels
from training.errors import DatasetError

_LEAST_BELIEF = 0.05
"""Cells in which less than this is left of the teacher's probabilities teach nothing."""


class Box(BaseModel):
    """Where an object is: its class, and left, top, right, bottom in pixels."""

    name: str = Field(alias="class")
    xyxy: tuple[float, float, float, float]


class Known(BaseModel):
    """What is known of an image.

    Attributes:
        width, height: of the image, in pixels.
        image_class: the one class that it shows besides background, or None.
        boxes: its objects of the classes that were looked for; those classes are nowhere else. None if none was.
    """

    width: int
    height: int
    image_class: str | None = None
    boxes: list[Box] | None = None


def load_knowledge(file: Path) -> dict[str, Known]:
    """Read a JSON file: image name -> what is known of it.

    Raises:
        DatasetError: the file cannot be read or holds something else.
    """
    try:
        return TypeAdapter(dict[str, Known]).validate_python(json.loads(file.read_text()))
    except ValidationError as error:
        raise DatasetError(f"{file}: {first_fault(error)}") from error
    except (OSError, ValueError) as error:
        raise DatasetError(f"{file} cannot be read: {error}") from error


def hold_to(known: Known, probabilities: NDArray[np.float32], labels: Labels) -> NDArray[np.float32]:
    """Probabilities without what is known to be wrong.

    Args:
        known: of the image.
        probabilities: (K, rows, columns) float32, of sum 1 in each cell.
        labels: the classes.

    Returns:
        the same shape: of sum 1, or 0 for all classes in cells where hardly anything is left.

    Raises:
        DatasetError: it names a class that there is not.
    """
    named = {box.name for box in known.boxes or []} | ({known.image_class} if known.image_class is not None else set())
    if foreign := sorted(named - set(labels.names)):
        raise DatasetError(f"what is known of an image names a class that there is not: {foreign[0]}")
    possible = np.ones_like(probabilities)
    if known.image_class is not None:
        possible[
            [index for index, name in enumerate(labels.names) if name not in {"background", known.image_class}]
        ] = 0
    for name in {box.name for box in known.boxes or []}:
        possible[labels.names.index(name)] = _inside(known, name, probabilities.shape[1:])
    kept = probabilities * possible
    total = kept.sum(axis=0, keepdims=True)
    return np.where(total >= _LEAST_BELIEF, kept / np.maximum(total, 1e-6), 0).astype(np.float32)


def _inside(known: Known, name: str, size: tuple[int, ...]) -> NDArray[np.bool_]:
    """(rows, columns) bool: cells that touch a box of the class."""
    inside = np.zeros(size, dtype=bool)
    rows, columns = size
    for box in known.boxes or []:
        if box.name == name:
            left, top, right, bottom = box.xyxy
            row, column = max(0, int(top / known.height * rows)), max(0, int(left / known.width * columns))
            inside[row : int(-(-bottom * rows // known.height)), column : int(-(-right * columns // known.width))] = (
                True
            )
    return inside
