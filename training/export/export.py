"""The serving checkpoint: a training checkpoint with a golden sample, its scores and, on request, its ranges."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
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

    The golden mask is that of the weights as they are stored, float16 and all, predicted in float32; the ranges are
    theirs, too.

    Args:
        checkpoint: trained weights.
        golden_image: (height, width, 3), uint8 RGB; a photograph with a few classes in it serves best.
        summary: origin and scores. Of absolute paths in its settings the last part is kept: everybody reads them in
            ``GET /model``, and whose machine trained the weights is nobody's business.
        path: file to write.
        calibration: images to measure the ranges on, that int8 needs; without them the checkpoint's are kept.
    """
    stored = checkpoint.compressed()
    if calibration is not None:
        stored = calibrate(stored, calibration)
        # Scores in int8 are those of the ranges that were there.
        kept = {name: scores for name, scores in summary.precision_scores.items() if name != Precision.INT8}
        summary = replace(summary, precision_scores=kept)
    summary = replace(summary, training=_without_folders(summary.training))
    mask = Segmenter(stored, "cpu").segment(golden_image).mask
    replace(stored, golden=Golden(golden_image, mask), summary=summary).save(path)


def _without_folders(value: Any) -> Any:
    """JSON values, in which each absolute path has become its last part."""
    match value:
        case dict():
            return {name: _without_folders(part) for name, part in value.items()}
        case list():
            return [_without_folders(part) for part in value]
        case str() if Path(value).is_absolute():
            return Path(value).name
        case _:
            return value
