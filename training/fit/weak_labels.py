"""Labels of whole images or of boxes, for photographs without masks; they constrain a teacher's probabilities."""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from model.errors import first_fault
from model.labels import BACKGROUND, Labels
from training.errors import DatasetError

_LEAST_REMAINDER = 0.05
"""Cells that keep less than this of the teacher's probabilities are left unlabelled."""

_BOX_FILL = 0.4
"""Mean probability of its class that a box has at least; objects of VOC fill about 0.55 of their boxes."""

_GREATEST_ODDS_FACTOR = 30.0
"""Bound on raising a class in its boxes: where the teacher sees nothing of it, no label is made up."""


class Box(BaseModel):
    """An object: its class, and left, top, right, bottom in pixels.

    Attributes:
        maybe_crowd: the box may hold a crowd and is not filled by one object.
    """

    name: str = Field(alias="class")
    xyxy: tuple[float, float, float, float]
    maybe_crowd: bool = False


class WeakLabel(BaseModel):
    """What is known of an image without a mask.

    Attributes:
        width, height: size of the image in pixels.
        image_class: the one class that it shows besides background, or None.
        boxes: boxes around all objects of all classes: what is in none is background. None if there are none to use.
    """

    width: int
    height: int
    image_class: str | None = None
    boxes: list[Box] | None = None


def load_weak_labels(file: Path) -> dict[str, WeakLabel]:
    """Read a JSON file: image name -> its weak label.

    Raises:
        DatasetError: the file cannot be read or holds something else.
    """
    try:
        return TypeAdapter(dict[str, WeakLabel]).validate_python(json.loads(file.read_text()))
    except ValidationError as error:
        raise DatasetError(f"{file}: {first_fault(error)}") from error
    except (OSError, ValueError) as error:
        raise DatasetError(f"{file} cannot be read: {error}") from error


def constrain(weak_label: WeakLabel, probabilities: NDArray[np.float32], labels: Labels) -> NDArray[np.float32]:
    """Probabilities that agree with a weak label.

    Classes that it rules out get 0. In the boxes of a class whose mean probability there is low, the odds of the class
    are raised by a common factor. Cells in no box are background.

    Args:
        weak_label: boxes and classes of the image.
        probabilities: (K, rows, columns) float32, of sum 1 in each cell.
        labels: the classes.

    Returns:
        the same shape: of sum 1, or 0 for all classes in cells where hardly anything is left.

    Raises:
        DatasetError: it names an unknown class.
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
    """(K, rows, columns): where each class may be."""
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
        cells: (K, h, w), the cells of a box; unlabelled ones stay so.
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
