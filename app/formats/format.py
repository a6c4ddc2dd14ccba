"""What the service knows of an output format: its media type, its cost, and how it is encoded."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from model.labels import Labels
from model.segmentation import Band, Segmentation

Rows = Band | Segmentation
"""A band of an image, or all of it: both have a mask and, if asked for, the confidence."""


class Encoder(Protocol):
    """Encodes one response."""

    def write(self, rows: Rows) -> bytes:
        """Take the next rows, at least one, and return the bytes that are certain now; the last row ends the body."""


class Format(Protocol):
    """A form in which a segmentation is written."""

    @property
    def media_type(self) -> str:
        """Media type of the body."""

    @property
    def is_streamed(self) -> bool:
        """Whether its encoder returns bytes before it has the last row."""

    @property
    def wants_confidence(self) -> bool:
        """Whether the confidence of each pixel is to be computed."""

    @property
    def pixel_bytes(self) -> int:
        """Upper bound of the memory that a pixel of the response takes while it is encoded."""

    def encoder(self, image: NDArray[np.uint8], labels: Labels, digest: str) -> Encoder:
        """An encoder of the segmentation of ``image``.

        Args:
            image: (height, width, 3), uint8 RGB.
            labels: what the class indices mean.
            digest: SHA-256 of the checkpoint.
        """
