"""Write a COCO file of images' masks: ``python -m examples.coco IMAGE... --output annotations.json``.

Each class of each image is one annotation, as in COCO-Stuff: the network distinguishes classes, not instances.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from app.client import ClassInfo, Client
from app.formats.rle import decode_rle
from examples.many_images import each

Document: TypeAlias = dict[str, Any]

_NO_CATEGORIES = ("background", "void")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the file; return the exit status, 1 if images are missing from it."""
    options = _options(arguments)
    with Client(options.url) as client:
        classes = client.classes()
        answers = [
            (image.as_posix(), json.loads(answer))
            for image, answer in each(options.images, lambda image: client.segment_bytes(image, "json", mask="rle"))
        ]
    if answers:
        options.output.write_text(json.dumps(coco_document(classes, answers, options.polygons)))
    return int(len(answers) < len(options.images))


def coco_document(
    classes: Sequence[ClassInfo], answers: Sequence[tuple[str, Document]], stray: float | None = None
) -> Document:
    """The COCO document of several images.

    Args:
        classes: the service's classes; background and void become no categories.
        answers: each image's name, and the service's JSON with run lengths.
        stray: greatest distance in pixels of polygons from the masks' outlines; None for run lengths, which are exact.
    """
    categories = [known for known in classes if known.name not in _NO_CATEGORIES]
    indices = {known.index for known in categories}
    found = [
        (number, runs)
        for number, (_, answer) in enumerate(answers, start=1)
        for runs in answer["mask"]
        if runs["index"] in indices
    ]
    return {
        "images": [
            {"id": number, "file_name": name, "width": answer["width"], "height": answer["height"]}
            for number, (name, answer) in enumerate(answers, start=1)
        ],
        "categories": [{"id": known.index, "name": known.name} for known in categories],
        "annotations": [
            {"id": number, "image_id": image, **_annotation(runs, stray)}
            for number, (image, runs) in enumerate(found, start=1)
        ],
    }


def _annotation(runs: Document, stray: float | None) -> Document:
    height, width = runs["size"]
    mask = decode_rle(runs["counts"], height, width)
    return {
        "category_id": runs["index"],
        "iscrowd": 0,
        "area": int(np.count_nonzero(mask)),
        "bbox": _box(mask),
        "segmentation": {"size": runs["size"], "counts": runs["counts"]} if stray is None else _polygons(mask, stray),
    }


def _box(mask: NDArray[np.bool_]) -> list[int]:
    """Bounding box of a mask: left, top, width and height."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    left, top = int(columns[0]), int(rows[0])
    return [left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top]


def _polygons(mask: NDArray[np.bool_], stray: float) -> list[list[float]]:
    from examples.polygons import polygons  # noqa: PLC0415 (run lengths need no scikit-image)

    return [polygon.ravel().round(2).tolist() for polygon in polygons(mask, stray)]


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m examples.coco", description="Write a COCO file of images' masks.")
    parser.add_argument(
        "images", nargs="+", type=Path, metavar="IMAGE", help="image files; the COCO file contains these names"
    )
    parser.add_argument("--output", type=Path, required=True, help="file to write")
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="URL of the service (default: %(default)s)")
    parser.add_argument(
        "--polygons",
        type=float,
        metavar="PIXELS",
        help="write polygons instead of run lengths, at most this far from the outlines; 0 keeps all points",
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
