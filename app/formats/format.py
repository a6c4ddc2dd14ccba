"""The interface of an output format: its media type, its cost, and its encoder."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from model.labels import Labels
from model.segmentation import Band, Segmentation

Rows = Band | Segmentation
"""A band of an image, or a whole image: both have a mask and, if requested, the confidence."""


class Encoder(Protocol):
    """Encodes one response."""

    def write(self, rows: Rows) -> bytes:
        """Encode the next rows, at least one, and return the bytes that they complete; the last row ends the body."""


class Format(Protocol):
    """An output format of a segmentation."""

    @property
    def media_type(self) -> str:
        """Media type of the body."""

    @property
    def is_streamed(self) -> bool:
        """Whether the encoder returns bytes before it has the last row."""

    @property
    def wants_confidence(self) -> bool:
        """Whether the format needs the confidence of each pixel."""

    @property
    def pixel_bytes(self) -> int:
        """Upper bound on the bytes of memory per pixel of the response while it is encoded."""

    def encoder(self, image: NDArray[np.uint8], labels: Labels, digest: str) -> Encoder:
        """Make an encoder for the segmentation of ``image``.

        Args:
            image: (height, width, 3), uint8 RGB.
            labels: what the class indices mean.
            digest: SHA-256 of the checkpoint.
        """
