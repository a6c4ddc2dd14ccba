"""From a segmentation to the bytes of a response."""

import base64
from collections.abc import Iterator
from dataclasses import asdict
from enum import StrEnum
from io import BytesIO
from typing import Any, Protocol

import numpy as np
import orjson
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from app.formats.png_writer import PngWriter
from app.formats.rle import encode_rle
from model.labels import Labels
from model.segmentation import Segmentation

DIGEST_KEY = "Checkpoint-SHA256"
"""Key of the checkpoint's digest in a PNG's text."""

_ROWS_AT_ONCE = 64


class OutputFormat(StrEnum):
    """What ``POST /segment`` answers with."""

    PNG = "png"
    JSON = "json"
    OVERLAY = "overlay"
    CONFIDENCE = "confidence"

    @property
    def media_type(self) -> str:
        return "application/json" if self is OutputFormat.JSON else "image/png"

    @property
    def is_streamed(self) -> bool:
        """Whether a large image's answer is sent while it is being made."""
        return self in (OutputFormat.PNG, OutputFormat.CONFIDENCE)

    @property
    def wants_confidence(self) -> bool:
        """Whether the confidence of each pixel is to be computed."""
        return self is OutputFormat.CONFIDENCE


class Rendering(Protocol):
    """Another form of an answer than ``OutputFormat`` knows, as other protocols have one."""

    @property
    def is_streamed(self) -> bool:
        """Whether a large image's answer is sent while it is being made."""

    @property
    def wants_confidence(self) -> bool:
        """Whether the confidence of each pixel is to be computed."""

    @property
    def pixel_bytes(self) -> int:
        """Of a pixel of the answer, at most, while it is made."""

    def render(self, segmentation: Segmentation, digest: str) -> bytes:
        """The answer, made by the checkpoint of that digest."""


class MaskEncoding(StrEnum):
    """How JSON carries the mask."""

    ROWS = "rows"
    RLE = "rle"
    PNG = "png"
    NONE = "none"


def mask_writer(height: int, width: int, labels: Labels, digest: str) -> PngWriter:
    """Palette PNG: the stored value of a pixel is its class index, its colour the class's."""
    return PngWriter(height, width, {DIGEST_KEY: digest}, labels.palette)


def confidence_writer(height: int, width: int, digest: str) -> PngWriter:
    """Grey PNG: 255 times the probability of each pixel's class."""
    return PngWriter(height, width, {DIGEST_KEY: digest})


def render_png(segmentation: Segmentation, digest: str) -> bytes:
    """The mask as a palette PNG."""
    return mask_writer(segmentation.height, segmentation.width, segmentation.labels, digest).write(segmentation.mask)


def render_confidence(segmentation: Segmentation, digest: str) -> bytes:
    """The confidence as a grey PNG."""
    assert segmentation.confidence is not None
    return confidence_writer(segmentation.height, segmentation.width, digest).write(segmentation.confidence)


def render_overlay(image: NDArray[np.uint8], segmentation: Segmentation, alpha: float, digest: str) -> bytes:
    """RGB PNG: the classes' colours over the photograph; background, where the classes name one, stays clear.

    Args:
        image: (height, width, 3), uint8 RGB.
        segmentation: of that image.
        alpha: share of the colours, 0..1.
        digest: of the checkpoint, for the PNG's text.
    """
    text = PngInfo()
    text.add_text(DIGEST_KEY, digest)
    buffer = BytesIO()
    picture = Image.fromarray(blend(image, segmentation.mask, segmentation.labels, alpha))
    picture.save(buffer, "PNG", compress_level=1, pnginfo=text)
    return buffer.getvalue()


def blend(image: NDArray[np.uint8], mask: NDArray[np.uint8], labels: Labels, alpha: float) -> NDArray[np.uint8]:
    """Lay the colours of a mask over an image: (height, width, 3), uint8 RGB."""
    result = image.copy()
    weight = np.float32(alpha)
    # In bands of rows: nothing wider than a byte a channel ever has the image's size.
    for top in range(0, len(mask), _ROWS_AT_ONCE):
        rows = slice(top, top + _ROWS_AT_ONCE)
        covered = mask[rows] != labels.background_index
        colors = labels.palette[mask[rows][covered]].astype(np.float32)
        below = image[rows][covered].astype(np.float32)
        result[rows][covered] = np.round(below + (colors - below) * weight).astype(np.uint8)
    return result


def render_json(segmentation: Segmentation, encoding: MaskEncoding, digest: str) -> bytes:
    """The document of ``SegmentationResponse``."""
    document = {
        "width": segmentation.width,
        "height": segmentation.height,
        "checkpoint": digest,
        "classes": [asdict(share) for share in segmentation.classes()],
    }
    if encoding is MaskEncoding.ROWS:
        return _with_rows(document, segmentation.mask)
    document["mask"] = _encoded_mask(segmentation, encoding, digest)
    return orjson.dumps(document)


def _encoded_mask(segmentation: Segmentation, encoding: MaskEncoding, digest: str) -> object:
    if encoding is MaskEncoding.PNG:
        return base64.b64encode(render_png(segmentation, digest)).decode("ascii")
    if encoding is MaskEncoding.RLE:
        return [
            {
                "index": share.index,
                "size": [segmentation.height, segmentation.width],
                "counts": encode_rle(segmentation.mask == share.index),
            }
            for share in segmentation.classes()
        ]
    return None


def _with_rows(document: dict[str, Any], mask: NDArray[np.uint8]) -> bytes:
    """The document with the mask's rows, written some at a time: orjson holds Python's lock while it works."""

    def parts() -> Iterator[bytes]:
        for top in range(0, len(mask), _ROWS_AT_ONCE):
            rows = np.ascontiguousarray(mask[top : top + _ROWS_AT_ONCE])
            yield orjson.dumps(rows, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1]

    return orjson.dumps(document)[:-1] + b',"mask":[' + b",".join(parts()) + b"]}"
