"""Files in the format of ``python -m training evaluate --json``, with made-up scores."""

import json
from collections.abc import Sequence
from pathlib import Path


def write_evaluation(file: Path, names: Sequence[str], **changed: object) -> Path:
    """Write scores for classes of these names, each better than the one before; ``changed`` sets or adds keys."""
    classes = [
        {
            "index": index,
            "name": name,
            "iou": index / 8,
            "boundary_iou": index / 16,
            "accuracy": None,
            "images": 6 * index,
            "pixels": 1000 * index,
        }
        for index, name in enumerate(names)
    ]
    document = {
        "checkpoint": "",
        "split": "made/val",
        "images": 9,
        "tiling": "auto",
        "scales": [1.0],
        "flip": False,
        "pixel_accuracy": 0.75,
        "mean_accuracy": 0.625,
        "miou": 0.5,
        "boundary_iou": 0.25,
        "miou_chosen": None,
        "chosen": [],
        "classes": classes,
        "confusion": [[1]],
    }
    file.write_text(json.dumps({**document, **changed}))
    return file
