"""Write LabelMe files of images' masks: ``python -m examples.labelme IMAGE... --output FOLDER``."""

import argparse
import base64
import json
import os
import sys
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.client import Client, Segmentation
from examples.many_images import each

Document: TypeAlias = dict[str, Any]

_VERSION = "7.9.1"
"""Version of LabelMe whose format this writes."""

_BACKGROUND = "background"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write a file for each image; return the exit status, 1 if some are missing."""
    options = _options(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    written = 0
    with Client(options.url) as client:
        for image, segmentation in each(options.images, client.segment):
            # LabelMe resolves the image's path relative to its own file.
            document = labelme_document(os.path.relpath(image, options.output), segmentation, options.polygons)
            _file(options.output, image).write_text(json.dumps(document))
            written += 1
    return int(written < len(options.images))


def labelme_document(image_path: str, segmentation: Segmentation, stray: float | None = None) -> Document:
    """LabelMe's document of an image.

    Args:
        image_path: path of the image, relative to the folder of the document's file.
        segmentation: segmentation of the image.
        stray: greatest distance in pixels of polygons from the masks' outlines; None for masks, which are exact.
    """
    height, width = segmentation.mask.shape
    return {
        "version": _VERSION,
        "flags": {},
        "shapes": [
            {"label": found.name, "group_id": found.index, "description": "", "flags": {}, **shape}
            for found in segmentation.classes
            if found.name != _BACKGROUND
            for shape in _shapes(segmentation.mask == found.index, stray)
        ],
        "imagePath": image_path,
        "imageData": None,
        "imageHeight": height,
        "imageWidth": width,
    }


def _shapes(mask: NDArray[np.bool_], stray: float | None) -> Iterator[Document]:
    if stray is None:
        yield _mask(mask)
        return
    from examples.polygons import polygons  # noqa: PLC0415 (masks need no scikit-image)

    for polygon in polygons(mask, stray):
        yield {"shape_type": "polygon", "points": polygon.round(2).tolist(), "mask": None}


def _mask(mask: NDArray[np.bool_]) -> Document:
    """Mask shape: the content of the mask's bounding box as a PNG, with the box's first and last pixel."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, bottom, left, right = int(rows[0]), int(rows[-1]), int(columns[0]), int(columns[-1])
    buffer = BytesIO()
    Image.fromarray(mask[top : bottom + 1, left : right + 1].astype(np.uint8)).save(buffer, "PNG")
    return {
        "shape_type": "mask",
        "points": [[left, top], [right, bottom]],
        "mask": base64.b64encode(buffer.getvalue()).decode("ascii"),
    }


def _file(folder: Path, image: Path) -> Path:
    return folder / f"{image.stem}.json"


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m examples.labelme", description="Write LabelMe files of images.")
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="folder for the files")
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="URL of the service (default: %(default)s)")
    parser.add_argument(
        "--polygons",
        type=float,
        metavar="PIXELS",
        help="write polygons instead of masks, at most this far from the outlines; 0 keeps all points",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace existing files, even corrected ones")
    options = parser.parse_args(arguments)
    if len({image.stem for image in options.images}) < len(options.images):
        parser.error("two images have the same name except for the suffix, and would be written to the same file")
    there = [file for image in options.images if (file := _file(options.output, image)).exists()]
    if there and not options.overwrite:
        parser.error(f"{there[0]} exists; --overwrite would replace it and lose corrections")
    return options


if __name__ == "__main__":
    sys.exit(main())
