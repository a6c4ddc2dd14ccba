"""The serving checkpoint: a training checkpoint with a golden sample, scores and, optionally, activation ranges."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.checkpoint import Checkpoint, Golden, Summary
from model.precision import Precision
from model.segmenter import Segmenter
from training.export.calibration import calibrate


def export(
    checkpoint: Checkpoint,
    golden_image: NDArray[np.uint8],
    summary: Summary,
    path: Path,
    calibration: Iterable[NDArray[np.uint8]] | None = None,
) -> None:
    """Write the file that the service loads.

    The golden mask and the ranges are computed from the rounded weights as stored; the mask is predicted in float32.

    Args:
        checkpoint: trained weights.
        golden_image: (height, width, 3), uint8 RGB; preferably a photograph with a few classes in it.
        summary: origin and scores. Absolute paths in its settings are reduced to their last part, because
            ``GET /model`` shows them to everybody and they would reveal details of the training machine.
        path: file to write.
        calibration: images to measure the activation ranges for int8 on; without them, the checkpoint's ranges are
            kept.
    """
    stored = checkpoint.compressed()
    if calibration is not None:
        stored = calibrate(stored, calibration)
        # The int8 scores were measured with the previous ranges.
        kept = {name: scores for name, scores in summary.precision_scores.items() if name != Precision.INT8}
        summary = replace(summary, precision_scores=kept)
    summary = replace(summary, training=_without_folders(summary.training))
    mask = Segmenter(stored, "cpu").segment(golden_image).mask
    replace(stored, golden=Golden(golden_image, mask), summary=summary).save(path)


def _without_folders(value: Any) -> Any:
    """Return JSON values with each absolute path replaced by its last part."""
    match value:
        case dict():
            return {name: _without_folders(part) for name, part in value.items()}
        case list():
            return [_without_folders(part) for part in value]
        case str():
            paths = PurePosixPath(value), PureWindowsPath(value)
            return next((path.name for path in paths if path.is_absolute()), value)
        case _:
            return value
