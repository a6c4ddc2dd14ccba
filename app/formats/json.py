"""A JSON document, ``SegmentationResponse``: the classes found, and the mask."""

import base64
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import partial
from typing import Any, ClassVar

import numpy as np
import orjson
from numpy.typing import NDArray

from app.formats.mask import MaskEncoder
from app.formats.rle import encode_rle
from app.formats.whole import WholeEncoder
from model.labels import Labels
from model.segmentation import Segmentation

_ROWS_AT_ONCE = 64


class MaskEncoding(StrEnum):
    """How JSON carries the mask."""

    ROWS = "rows"
    RLE = "rle"
    PNG = "png"
    NONE = "none"


_PIXEL_BYTES = {
    MaskEncoding.NONE: 1,
    MaskEncoding.PNG: 4,
    MaskEncoding.ROWS: 6,
    MaskEncoding.RLE: 9,
}


@dataclass(frozen=True, slots=True)
class JsonDocument:
    """A format that is encoded once the last row is known."""

    mask: MaskEncoding = MaskEncoding.ROWS

    suffix: ClassVar[str] = ".json"
    media_type: ClassVar[str] = "application/json"
    is_streamed: ClassVar[bool] = False
    wants_confidence: ClassVar[bool] = False

    @property
    def pixel_bytes(self) -> int:
        return _PIXEL_BYTES[self.mask]

    def encoder(self, image: NDArray[np.uint8], labels: Labels, digest: str) -> WholeEncoder:
        encode = partial(_encoded, encoding=self.mask, digest=digest)
        return WholeEncoder(image.shape[0], image.shape[1], labels, encode)


def _encoded(segmentation: Segmentation, encoding: MaskEncoding, digest: str) -> bytes:
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
    height, width = segmentation.height, segmentation.width
    if encoding is MaskEncoding.PNG:
        encoder = MaskEncoder(height, width, segmentation.labels, digest)
        return base64.b64encode(encoder.write(segmentation)).decode("ascii")
    if encoding is MaskEncoding.RLE:
        return [
            {"index": share.index, "size": [height, width], "counts": encode_rle(segmentation.mask == share.index)}
            for share in segmentation.classes()
        ]
    return None


def _with_rows(document: dict[str, Any], mask: NDArray[np.uint8]) -> bytes:
    """Write the document with the mask's rows, some rows at a time, since orjson holds the GIL while it works."""

    def chunks() -> Iterator[bytes]:
        for top in range(0, len(mask), _ROWS_AT_ONCE):
            yield orjson.dumps(mask[top : top + _ROWS_AT_ONCE], option=orjson.OPT_SERIALIZE_NUMPY)[1:-1]

    return orjson.dumps(document)[:-1] + b',"mask":[' + b",".join(chunks()) + b"]}"
