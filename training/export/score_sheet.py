"""Scores that ``python -m training evaluate --json`` wrote, read back."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from model.errors import first_fault
from model.precision import Precision
from training.errors import ExportError


class ClassRow(BaseModel):
    """One class's scores; metrics other than the IoU are kept under their own names."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str
    iou: float | None
    images: int
    pixels: int

    @property
    def other_ious(self) -> dict[str, float | None]:
        """Further kinds of IoU, such as the boundary's, by their human-readable names."""
        return {_in_words(key): value for key, value in (self.model_extra or {}).items() if key.endswith("iou")}


class ScoreSheet(BaseModel):
    """Scores over one list of images; all metrics in 0..1 in the file are kept.

    Attributes:
        split: name of the scored list.
        images: number of its images.
        checkpoint: SHA-256 of the scored file; empty if unknown.
        precision: precision of the predictions.
        scales, flip: the views of each image whose probabilities were averaged.
        chosen: names of the classes of the metrics over chosen classes.
        classes: scores of each class.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    split: str
    images: int
    checkpoint: str = ""
    precision: Precision = Precision.FLOAT32
    scales: tuple[float, ...] = (1.0,)
    flip: bool = False
    chosen: tuple[str, ...] = ()
    classes: tuple[ClassRow, ...]

    @classmethod
    def read(cls, path: Path) -> "ScoreSheet":
        """Read a file.

        Raises:
            ExportError: the file cannot be read, or holds no scores.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise ExportError(f"scores {path} cannot be read: {error.strerror}") from error
        except ValidationError as error:
            raise ExportError(f"{path} holds no scores of an evaluation: {first_fault(error)}") from error

    @property
    def title(self) -> str:
        """Name of the list, and all differences from the service's default prediction."""
        scales = "" if self.scales == (1.0,) else f" at scales {', '.join(f'{scale:g}' for scale in self.scales)}"
        precision = "" if self.precision is Precision.FLOAT32 else f" in {self.precision}"
        return self.split + precision + scales + (" with mirror images" if self.flip else "")

    @property
    def compares_precisions(self) -> bool:
        """Whether images were predicted as by the service, so that only the precision makes a difference."""
        return self.scales == (1.0,) and not self.flip

    @property
    def miou(self) -> float | None:
        """Mean IoU over the chosen classes if some were chosen, else over all; None if no class occurred."""
        value = (self.model_extra or {}).get("miou_chosen" if self.chosen else "miou")
        return value if isinstance(value, float) else None

    def measures(self) -> dict[str, float]:
        """Return scores in 0..1 by names such as ``voc2012/val mIoU``; ``mIoU-7`` is over 7 chosen classes."""
        return {
            f"{self.title} {_in_words(key.replace('_chosen', f'-{len(self.chosen)}'))}": value
            for key, value in _measures(self.model_extra or {}).items()
        }


def _measures(fields: Mapping[str, Any]) -> dict[str, float]:
    return {key: value for key, value in fields.items() if re.search("iou|accuracy", key) and isinstance(value, float)}


def _in_words(key: str) -> str:
    """``boundary_iou`` -> ``boundary IoU``."""
    return key.replace("_", " ").replace("iou", "IoU")
