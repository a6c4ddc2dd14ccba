"""Weak labels, of whole images or of boxes, for images without masks; they constrain a teacher's probabilities."""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from model.errors import first_fault
from model.labels import BACKGROUND, Labels
from training.errors import DatasetError

_LEAST_REMAINDER = 0.05
"""Minimum sum of the teacher's probabilities kept in a cell; cells below it are left unlabelled."""

_BOX_FILL = 0.4
"""Minimum mean probability of a box's class in the box; VOC's objects fill about 0.55 of their boxes."""

_GREATEST_ODDS_FACTOR = 30.0
"""Maximum factor on the odds of a class in its boxes, so that no label is made up where the teacher sees none of it."""


class Box(BaseModel):
    """Bounding box of an object.

    Attributes:
        name: name of the class.
        xyxy: left, top, right and bottom in pixels.
        maybe_crowd: whether the box may hold a crowd, so that no single object fills it.
    """

    name: str = Field(alias="class")
    xyxy: tuple[float, float, float, float]
    maybe_crowd: bool = False


class WeakLabel(BaseModel):
    """Weak label of an image without a mask.

    Attributes:
        width, height: size of the image in pixels.
        image_class: the only class in the image besides background, or None.
        boxes: boxes of all objects of all classes; everything outside them is background. None if boxes are not given.
    """

    width: int
    height: int
    image_class: str | None = None
    boxes: list[Box] | None = None


def load_weak_labels(file: Path) -> dict[str, WeakLabel]:
    """Read a JSON file: image name -> its weak label.

    Raises:
        DatasetError: the file cannot be read or holds no weak labels.
    """
    try:
        return TypeAdapter(dict[str, WeakLabel]).validate_python(json.loads(file.read_text()))
    except ValidationError as error:
        raise DatasetError(f"{file}: {first_fault(error)}") from error
    except (OSError, ValueError) as error:
        raise DatasetError(f"{file} cannot be read: {error}") from error


def constrain(weak_label: WeakLabel, probabilities: NDArray[np.float32], labels: Labels) -> NDArray[np.float32]:
    """Constrain probabilities to agree with a weak label.

    Classes that the label rules out get 0. In a box whose class has a low mean probability, the odds of the class are
    raised by a common factor. Cells outside all boxes are background.

    Args:
        weak_label: boxes and classes of the image.
        probabilities: (K, rows, columns) float32, of sum 1 in each cell.
        labels: class table.

    Returns:
        The same shape, of sum 1 in each cell, or 0 for all classes in cells where hardly any probability is left.

    Raises:
        DatasetError: the label names an unknown class.
    """
    boxes = weak_label.boxes or []
    named = {box.name for box in boxes} | ({weak_label.image_class} if weak_label.image_class is not None else set())
    if unknown := sorted(named - set(labels.names)):
        raise DatasetError(f"a weak label names an unknown class: {unknown[0]}")
    kept = probabilities * _possible(weak_label, probabilities.shape, labels)
    total = kept.sum(axis=0, keepdims=True)
    constrained = np.where(total >= _LEAST_REMAINDER, kept / np.maximum(total, 1e-6), 0).astype(np.float32)
    if weak_label.boxes is not None:
        inside = np.zeros(probabilities.shape[1:], dtype=bool)
        for box in boxes:
            cells = _cells(box, weak_label, inside.shape)
            inside[cells] = True
            if not box.maybe_crowd:
                _raise_class(constrained[(slice(None), *cells)], labels.names.index(box.name))
        constrained[:, ~inside] = 0
        constrained[BACKGROUND, ~inside] = 1
    return constrained


def _possible(weak_label: WeakLabel, shape: tuple[int, ...], labels: Labels) -> NDArray[np.bool_]:
    """Return the cells where each class may occur: (K, rows, columns)."""
    possible = np.ones(shape, dtype=bool)
    if weak_label.image_class is not None:
        possible[
            [index for index, name in enumerate(labels.names) if name not in {"background", weak_label.image_class}]
        ] = False
    if weak_label.boxes is not None:
        in_a_box = np.zeros(shape, dtype=bool)
        in_a_box[BACKGROUND] = True
        for box in weak_label.boxes:
            in_a_box[(labels.names.index(box.name), *_cells(box, weak_label, shape[1:]))] = True
        possible &= in_a_box
    return possible


def _cells(box: Box, weak_label: WeakLabel, size: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns of the cells that a box touches."""
    rows, columns = size
    left, top, right, bottom = box.xyxy
    return (
        slice(max(0, int(top / weak_label.height * rows)), max(0, int(-(-bottom * rows // weak_label.height)))),
        slice(max(0, int(left / weak_label.width * columns)), max(0, int(-(-right * columns // weak_label.width)))),
    )


def _raise_class(cells: NDArray[np.float32], index: int) -> None:
    """Multiply the odds of a class by the factor that brings its mean probability to ``_BOX_FILL``, in place.

    Args:
        cells: the cells of a box, (K, h, w); unlabelled cells stay unlabelled.
        index: index of the class.
    """
    own = cells[index]
    if not own.size or own.mean() >= _BOX_FILL:
        return
    low, high = 1.0, _GREATEST_ODDS_FACTOR
    for _ in range(20):
        factor = (low * high) ** 0.5
        low, high = (factor, high) if _with_odds(own, factor).mean() < _BOX_FILL else (low, factor)
    raised = _with_odds(own, high)
    cells *= (1 - raised) / np.maximum(1 - own, 1e-6)
    cells[index] = raised


def _with_odds(probabilities: NDArray[np.float32], factor: float) -> NDArray[np.float32]:
    odds = probabilities * np.float32(factor)
    return np.asarray(odds / (1 - probabilities + odds))
