"""A data set that a test trains on: one photograph with its mask, in VOC's layout, and the labels of its classes."""

from pathlib import Path

import numpy as np
from PIL import Image

LABELS = """
[[classes]]
name = "wall"
color = [0, 0, 0]

[[classes]]
name = "cat"
color = [200, 80, 0]
"""


def write_pets(folder: Path, photograph: Path) -> None:
    """Write the data set ``pets`` with its list ``train``, and ``labels.toml``."""
    root = folder / "pets"
    for name in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (root / name).mkdir(parents=True)
    (root / "JPEGImages/cat.jpg").write_bytes(photograph.read_bytes())
    with Image.open(photograph) as image:
        mask = np.zeros((image.height, image.width), np.uint8)
    mask[:, 100:] = 1
    Image.fromarray(mask).save(root / "SegmentationClass/cat.png")
    (root / "ImageSets/Segmentation/train.txt").write_text("cat\n")
    (folder / "labels.toml").write_text(LABELS)
