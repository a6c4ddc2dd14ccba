"""The encoder for formats that need all rows before they can write the first byte."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from app.formats.format import Rows
from model.labels import Labels
from model.segmentation import NO_TIME, Segmentation


class WholeEncoder:
    """Collects all rows, then encodes the whole segmentation.

    Args:
        height, width: size of the image in pixels.
        labels: what the class indices mean.
        encode: encodes a segmentation as the body.
        confidence: whether the rows have the confidence.
    """

    def __init__(
        self,
        height: int,
        width: int,
        labels: Labels,
        encode: Callable[[Segmentation], bytes],
        *,
        confidence: bool = False,
    ) -> None:
        self._labels = labels
        self._encode = encode
        self._mask = np.empty((height, width), dtype=np.uint8)
        self._confidence: NDArray[np.uint8] | None = np.empty_like(self._mask) if confidence else None
        self._done = 0

    def write(self, rows: Rows) -> bytes:
        top, self._done = self._done, self._done + len(rows.mask)
        self._mask[top : self._done] = rows.mask
        if self._confidence is not None:
            assert rows.confidence is not None
            self._confidence[top : self._done] = rows.confidence
        if self._done < len(self._mask):
            return b""
        return self._encode(Segmentation(self._mask, self._labels, NO_TIME, self._confidence))
