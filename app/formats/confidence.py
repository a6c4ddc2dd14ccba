"""The confidence as a grey PNG: 255 times the probability of each pixel's class."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from app.formats.format import Rows
from app.formats.png_writer import DIGEST_KEY, PngWriter
from model.labels import Labels


@dataclass(frozen=True, slots=True)
class ConfidencePng:
    """A streamed format: its rows are sent as they become known."""

    suffix: ClassVar[str] = ".confidence.png"
    media_type: ClassVar[str] = "image/png"
    is_streamed: ClassVar[bool] = True
    wants_confidence: ClassVar[bool] = True
    pixel_bytes: ClassVar[int] = 2

    def encoder(self, image: NDArray[np.uint8], labels: Labels, digest: str) -> "ConfidenceEncoder":  # noqa: ARG002
        return ConfidenceEncoder(image.shape[0], image.shape[1], digest)


class ConfidenceEncoder:
    """Encodes the confidence, which all bands must have."""

    def __init__(self, height: int, width: int, digest: str) -> None:
        self._writer = PngWriter(height, width, {DIGEST_KEY: digest})

    def write(self, rows: Rows) -> bytes:
        assert rows.confidence is not None
        return self._writer.write(rows.confidence)
