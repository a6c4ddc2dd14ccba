"""The mask as a palette PNG: each pixel stores its class index, and the palette holds the classes' colours."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from app.formats.format import Rows
from app.formats.png_writer import DIGEST_KEY, PngWriter
from model.labels import Labels


@dataclass(frozen=True, slots=True)
class MaskPng:
    """A streamed format: its rows are sent as they become known."""

    suffix: ClassVar[str] = ".png"
    media_type: ClassVar[str] = "image/png"
    is_streamed: ClassVar[bool] = True
    wants_confidence: ClassVar[bool] = False
    pixel_bytes: ClassVar[int] = 1

    def encoder(self, image: NDArray[np.uint8], labels: Labels, digest: str) -> "MaskEncoder":
        return MaskEncoder(image.shape[0], image.shape[1], labels, digest)


class MaskEncoder:
    """Encodes class indices."""

    def __init__(self, height: int, width: int, labels: Labels, digest: str) -> None:
        self._writer = PngWriter(height, width, {DIGEST_KEY: digest}, labels.palette)

    def write(self, rows: Rows) -> bytes:
        return self._writer.write(rows.mask)
