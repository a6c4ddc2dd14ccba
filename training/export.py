"""The serving checkpoint: a training checkpoint with a golden sample and its scores."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.checkpoint import Checkpoint, Golden, Summary
from model.segmenter import Segmenter


def export(checkpoint: Checkpoint, golden_image: NDArray[np.uint8], summary: Summary, path: Path) -> None:
    """Write the file that the service loads.

    The golden mask is that of the weights as they are stored, float16 and all.

    Args:
        checkpoint: trained weights.
        golden_image: (height, width, 3), uint8 RGB; a photograph with a few classes in it serves best.
        summary: origin and scores.
        path: to write to.
    """
    stored = checkpoint.compact()
    mask = Segmenter(stored, "cpu").segment(golden_image).mask
    replace(stored, golden=Golden(golden_image, mask), summary=summary).save(path)
