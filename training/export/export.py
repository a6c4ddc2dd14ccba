"""The serving checkpoint: a training checkpoint with a golden sample, its scores and, on request, its ranges."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

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
        summary: origin and scores.
        path: file to write.
        calibration: images to measure the ranges on, that int8 needs; without them the checkpoint's are kept.
    """
    stored = checkpoint.compressed()
    if calibration is not None:
        stored = calibrate(stored, calibration)
        # Scores in int8 are those of the ranges that were there.
        kept = {name: scores for name, scores in summary.precision_scores.items() if name != Precision.INT8}
        summary = replace(summary, precision_scores=kept)
    mask = Segmenter(stored, "cpu").segment(golden_image).mask
    replace(stored, golden=Golden(golden_image, mask), summary=summary).save(path)
