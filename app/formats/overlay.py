"""The classes' colours over the image, as an RGB PNG; the background class, if any, stays clear."""

from dataclasses import dataclass
from io import BytesIO
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from app.formats.format import Rows
from app.formats.png_writer import DIGEST_KEY
from model.labels import Labels

_ROWS_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class OverlayPng:
    """A format that is encoded once the last row is known.

    Attributes:
        alpha: opacity of the classes' colours, 0..1.
    """

    alpha: float = 0.5

    suffix: ClassVar[str] = ".overlay.png"
    media_type: ClassVar[str] = "image/png"
    is_streamed: ClassVar[bool] = False
    wants_confidence: ClassVar[bool] = False
    pixel_bytes: ClassVar[int] = 7

    def encoder(self, image: NDArray[np.uint8], labels: Labels, digest: str) -> "OverlayEncoder":
        return OverlayEncoder(image, labels, self.alpha, digest)


class OverlayEncoder:
    """Blends each band into a copy of the image."""

    def __init__(self, image: NDArray[np.uint8], labels: Labels, alpha: float, digest: str) -> None:
        self._blended = image.copy()
        self._labels = labels
        self._alpha = alpha
        self._digest = digest
        self._done = 0

    def write(self, rows: Rows) -> bytes:
        top, self._done = self._done, self._done + len(rows.mask)
        blend(self._blended[top : self._done], rows.mask, self._labels, self._alpha)
        if self._done < len(self._blended):
            return b""
        text = PngInfo()
        text.add_text(DIGEST_KEY, self._digest)
        buffer = BytesIO()
        Image.fromarray(self._blended).save(buffer, "PNG", compress_level=1, pnginfo=text)
        return buffer.getvalue()


def blend(image: NDArray[np.uint8], mask: NDArray[np.uint8], labels: Labels, alpha: float) -> None:
    """Blend a mask's colours, (height, width), into an image, (height, width, 3) uint8 RGB, in place."""
    weight = np.float32(alpha)
    # In bands of rows, so that no full-size array has more than one byte per channel.
    for top in range(0, len(mask), _ROWS_AT_ONCE):
        rows = slice(top, top + _ROWS_AT_ONCE)
        covered = mask[rows] != labels.background_index
        colors = labels.palette[mask[rows][covered]].astype(np.float32)
        below = image[rows][covered].astype(np.float32)
        image[rows][covered] = np.round(below + (colors - below) * weight).astype(np.uint8)
