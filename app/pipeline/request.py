"""A client's request, and the time that each of its stages has taken."""

import threading
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.formats.format import Encoder, Format, Rows
from app.images.pool import Decoders, ImageFile
from app.images.raw import RawImage
from app.pipeline.cost import Cost, estimate_cost
from app.pipeline.scheduler import Cancelled
from model.segmentation import NO_TIME
from model.segmenter import Segmenter
from model.tiling import Tiling

FILE_PIXEL_BYTES = 0.5
"""Upper bound on file bytes per pixel, to guess the size class from Content-Length."""

RAW_PIXEL_BYTES = 3.0


@dataclass(frozen=True, slots=True)
class EncodedResponse:
    """A response that is complete.

    Attributes:
        body: bytes in the output format; empty if they were sent in chunks.
        pixels: pixels of the image.
        stages: seconds spent on each stage, in order.
        digest: SHA-256 of the weights.
    """

    body: bytes
    pixels: int
    stages: dict[str, float]
    digest: str


class SegmentRequest:
    """An image and the parameters of its request. ``open``, ``decode`` and ``encode`` run in worker threads, in this
    order.

    Args:
        image: an image file, or pixels.
        output: the format of the response.
        segmenter: the segmenter to use, even if a reload replaces it before the request's turn.
        tiling: how the image is cut.
    """

    def __init__(
        self, image: bytes | RawImage, output: Format, segmenter: Segmenter, tiling: Tiling = Tiling.AUTO
    ) -> None:
        self.output = output
        self.segmenter = segmenter
        self.tiling = tiling
        self.cancelled = threading.Event()
        """Set when the client has disconnected; work stops after the current step or band."""
        self.pixel_bytes = RAW_PIXEL_BYTES if isinstance(image, RawImage) else FILE_PIXEL_BYTES
        self._received: bytes | RawImage | None = image
        self._image: ImageFile | RawImage | None = None
        self._pixels: NDArray[np.uint8] | None = None
        self._started = time.perf_counter()
        self._decode_s = 0.0
        self._encode_s = 0.0
        self._timings = NO_TIME

    def open(self, decoders: Decoders, max_pixels: int) -> Cost:
        """Read the image's header, and estimate the cost of the request.

        Raises:
            ProblemError, TilingError: the image cannot be segmented.
        """
        self.raise_if_cancelled()
        started = time.perf_counter()
        image, self._received = self._received, None
        assert image is not None
        self._image = opened = image if isinstance(image, RawImage) else decoders.open(image)
        height, width, decode_bytes = opened.height, opened.width, opened.decode_bytes
        limits = self.segmenter.limits
        cost = estimate_cost(height, width, decode_bytes, self.output, self.tiling, limits, max_pixels)
        self._decode_s += time.perf_counter() - started
        return cost

    def decode(self, decoders: Decoders) -> tuple[NDArray[np.uint8], Encoder]:
        """Decode the image.

        Returns:
            The image, (height, width, 3) uint8 RGB, and an encoder for its segmentation.

        Raises:
            ProblemError: the image is damaged.
        """
        started = time.perf_counter()
        assert self._image is not None
        self._pixels = image = self._image.decode(decoders, self.raise_if_cancelled)
        self._image.close()
        checkpoint = self.segmenter.checkpoint
        encoder = self.output.encoder(image, checkpoint.labels, checkpoint.digest)
        self._decode_s += time.perf_counter() - started
        return image, encoder

    def encode(self, encoder: Encoder, rows: Rows) -> bytes:
        """Encode the next rows, and return the bytes of the response that they complete."""
        self.raise_if_cancelled()
        started = time.perf_counter()
        chunk = encoder.write(rows)
        self._encode_s += time.perf_counter() - started
        return chunk

    def predicted(self, rows: Rows) -> None:
        """Add the time spent on predicting rows."""
        self._timings += rows.timings

    def response(self, body: bytes, pixels: int) -> EncodedResponse:
        """The complete response; call after the last band is encoded."""
        stages = {
            "decode": self._decode_s,
            "preprocess": self._timings.preprocess_s,
            "forward": self._timings.forward_s,
            "upsample": self._timings.upsample_s,
            "encode": self._encode_s,
        }
        waited_s = time.perf_counter() - self._started - sum(stages.values())
        digest = self.segmenter.checkpoint.digest
        return EncodedResponse(body, pixels, {"queue": max(0.0, waited_s), **stages}, digest)

    def forget_pixels(self) -> None:
        """Drop the reference to the decoded image."""
        self._pixels = None

    def close(self) -> None:
        """Free the image; call after the last step."""
        self._received = self._pixels = None
        if self._image is not None:
            self._image.close()

    def raise_if_cancelled(self) -> None:
        if self.cancelled.is_set():
            raise Cancelled
