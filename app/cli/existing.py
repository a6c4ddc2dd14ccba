"""Reads results: from existing files, and from bodies that a service has sent."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from PIL import Image

from app.cli.errors import FileError
from app.cli.result import NamedClass, PixelCounter, Result
from app.formats.png_writer import DIGEST_KEY
from app.parameters import FormatName
from model.segmentation import ClassShare

_ROWS_AT_ONCE = 256

_BEGINNING_BYTES = 4096
"""Leading bytes of a result that contain the weights' digest: it precedes a PNG's pixels and a document's classes."""

# An accepted image is not too large for a mask; Pillow's own limit is lower.
Image.MAX_IMAGE_PIXELS = None


def read_result(body: bytes, form: FormatName, classes: Mapping[int, NamedClass]) -> Result:
    """Read the size and classes from a result; overlays and confidences have only the size.

    Raises:
        FileError: the body is not a complete result in this format.
    """
    with _trusting(form):
        if form == "json":
            return result_of(orjson.loads(body))
        with Image.open(BytesIO(body), formats=["PNG"]) as picture:
            if form == "png":
                return Result(picture.height, picture.width, _count_pixels(picture).shares(classes))
            return Result(picture.height, picture.width, None)


def read_existing(path: Path, form: FormatName, classes: Mapping[int, NamedClass], digest: str) -> Result:
    """Read the size and classes from a file that an earlier run has written.

    Args:
        path: path of the file.
        form: output format of the file.
        classes: classes of the weights, by index.
        digest: required digest of the weights that made the file.

    Raises:
        FileError: the file is unreadable, not a result in this format, or made by other weights.
    """
    advice = "move it away, or replace it with --overwrite"
    try:
        body = path.read_bytes()
    except OSError as error:
        raise FileError(f"{path} exists and cannot be read: {error.strerror}") from error
    try:
        written_with = _digest(body, form)
        result = read_result(body, form, classes) if written_with == digest else None
    except FileError as error:
        raise FileError(f"{path} exists and is not a result: {error}; {advice}") from error
    if result is None:
        raise FileError(f"{path} exists and was not made with these weights; {advice}")
    return result


def is_answer(path: Path) -> bool:
    """Whether a file is a result, of any image and weights, judging by its first bytes.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        beginning = file.read(_BEGINNING_BYTES)
    return any(mark in beginning for mark in (DIGEST_KEY.encode(), b'"checkpoint":'))


def result_of(document: dict[str, Any]) -> Result:
    """Convert a ``SegmentationResponse`` document."""
    shares = tuple(
        ClassShare(found["index"], found["name"], tuple(found["color"]), found["pixels"], found["fraction"])
        for found in document["classes"]
    )
    return Result(document["height"], document["width"], shares)


def _digest(body: bytes, form: FormatName) -> str:
    with _trusting(form):
        if form == "json":
            return str(orjson.loads(body)["checkpoint"])
        with Image.open(BytesIO(body), formats=["PNG"]) as picture:
            return str(picture.info.get(DIGEST_KEY, ""))


@contextmanager
def _trusting(form: FormatName) -> Iterator[None]:
    """Read a result as if it were complete and valid; errors become FileError."""
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, SyntaxError) as error:
        raise FileError(f"not a complete result in the format {form}: {error}") from error


def _count_pixels(picture: Image.Image) -> PixelCounter:
    if picture.mode != "P":
        raise ValueError(f"its pixels are {picture.mode}, not class indices")
    counter = PixelCounter()
    for top in range(0, picture.height, _ROWS_AT_ONCE):
        rows = picture.crop((0, top, picture.width, min(top + _ROWS_AT_ONCE, picture.height)))
        counter.add(np.asarray(rows))
    return counter
