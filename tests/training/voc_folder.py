"""Small data sets in VOC layout, generated."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.labels import VOC, Labels

Picture = NDArray[np.uint8]


def write_voc_folder(
    root: Path,
    masks: Mapping[str, Picture],
    split: str = "train",
    labels: Labels = VOC,
    folder: str = "SegmentationClass",
) -> Path:
    """Write masks as palette PNGs, their colours as the photographs, and a list of them; return ``root``."""
    for path in (root / "JPEGImages", root / folder, root / "ImageSets" / "Segmentation"):
        path.mkdir(parents=True, exist_ok=True)
    for name, mask in masks.items():
        Image.fromarray(labels.colormap(mask)).save(root / "JPEGImages" / f"{name}.jpg", quality=100, subsampling=0)
        picture = Image.fromarray(mask)
        picture.putpalette(labels.palette.tobytes())
        picture.save(root / folder / f"{name}.png")
    (root / "ImageSets" / "Segmentation" / f"{split}.txt").write_text("".join(f"{name}\n" for name in masks))
    return root


def halves(first: int, second: int, height: int = 60, width: int = 70, *, beside: bool = True) -> Picture:
    """A mask of two classes, beside or below each other."""
    mask = np.full((height, width), first, dtype=np.uint8)
    if beside:
        mask[:, width // 2 :] = second
    else:
        mask[height // 2 :] = second
    return mask
