"""One request's work: bytes of an image in, bytes of a response out. Runs in worker threads."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.formats.rendering import (
    OutputFormat,
    confidence_writer,
    mask_writer,
    render_confidence,
    render_json,
    render_overlay,
    render_png,
)
from app.images.pool import Decoders, ImageFile
from app.pipeline.cost import Cost, estimate_cost
from app.pipeline.options import Options
from app.pipeline.scheduler import Cancelled, Scheduler
from model.segmentation import NO_TIME, Band, Segmentation, Timings, collect
from model.segmenter import Segmenter

SendChunk = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class EncodedResponse:
    """The body of a response.

    Attributes:
        body: bytes in the output format; empty if they were sent in chunks.
        pixels: pixels of the image.
        stages: seconds spent on each stage, in order.
        digest: SHA-256 of the weights that made it.
    """

    body: bytes
    pixels: int
    stages: dict[str, float]
    digest: str


class Job:
    """One request's work, in steps that the service runs one after the other.

    Args:
        data: the image file.
        options: output format and tiling.
        segmenter: the request's own, whatever is served when its turn comes.
        max_pixels: the most pixels that are decoded.
    """

    def __init__(self, data: bytes, options: Options, segmenter: Segmenter, max_pixels: int) -> None:
        self.segmenter = segmenter
        self.cancelled = threading.Event()
        """Set when the client has disconnected; work stops after the step or band at hand."""
        self.progress = 0.0
        """Share of the rows that are predicted, 0..1, of an image predicted in bands."""
        self._options = options
        self._max_pixels = max_pixels
        self._data: bytes | None = data
        self._file: ImageFile | None = None
        self._received = time.perf_counter()
        self._decode_s = 0.0

    @property
    def wants_confidence(self) -> bool:
        return self._options.output.wants_confidence

    def open(self, decoders: Decoders) -> Cost:
        """Read the header, and estimate the cost of all the rest.

        Raises:
            ProblemError, TilingError: the image cannot be segmented.
        """
        self._raise_if_cancelled()
        started = time.perf_counter()
        data, self._data = self._data, None
        assert data is not None
        self._file = file = decoders.open(data)
        limits = self.segmenter.limits
        cost = estimate_cost(file.height, file.width, file.decode_bytes, self._options, limits, self._max_pixels)
        self._decode_s += time.perf_counter() - started
        return cost

    def decode(self, decoders: Decoders) -> NDArray[np.uint8]:
        """(height, width, 3), uint8 RGB; after ``open``.

        Raises:
            ProblemError: the image is damaged.
        """
        started = time.perf_counter()
        assert self._file is not None
        image = decoders.decode(self._file, self._raise_if_cancelled)
        self._file.close()
        self._decode_s += time.perf_counter() - started
        return image

    def predict(self, image: NDArray[np.uint8], scheduler: Scheduler) -> "Future[Segmentation]":
        """Have a small image predicted in one pass."""
        return scheduler.segment(self.segmenter, image, self.cancelled, confidence=self.wants_confidence)

    def encode(self, image: NDArray[np.uint8], segmentation: Segmentation) -> EncodedResponse:
        """Encode the whole response."""
        self._raise_if_cancelled()
        started = time.perf_counter()
        body = self._render(image, segmentation)
        return self._response(body, image, segmentation.timings, time.perf_counter() - started)

    def run(self, decoders: Decoders, scheduler: Scheduler, send_chunk: SendChunk) -> EncodedResponse:
        """All that follows ``open``, for images that are predicted band by band.

        Args:
            decoders: decoder processes.
            scheduler: decides when each band is predicted.
            send_chunk: called with the chunks of a PNG as soon as they are known.

        Raises:
            ProblemError: the image is damaged.
        """
        image = self.decode(decoders)
        tiling, confidence = self._options.tiling, self.wants_confidence
        bands = scheduler.bands(self.segmenter, image, tiling, self.cancelled, confidence=confidence)
        bands = self._followed(bands, image.shape[0])
        if self._options.output.is_streamed:
            return self._stream(image, bands, send_chunk)
        labels = self.segmenter.checkpoint.labels
        return self.encode(image, collect(bands, image.shape[:2], labels, confidence=confidence))

    def close(self) -> None:
        """Give the file back; after the last step."""
        if self._file is not None:
            self._file.close()

    def _followed(self, bands: Iterator[Band], height: int) -> Iterator[Band]:
        for band in bands:
            self.progress += len(band.mask) / height
            yield band

    def _stream(self, image: NDArray[np.uint8], bands: Iterator[Band], send_chunk: SendChunk) -> EncodedResponse:
        checkpoint = self.segmenter.checkpoint
        height, width = image.shape[:2]
        if self.wants_confidence:
            writer = confidence_writer(height, width, checkpoint.digest)
        else:
            writer = mask_writer(height, width, checkpoint.labels, checkpoint.digest)
        timings, encode_s = NO_TIME, 0.0
        for band in bands:
            rows = band.mask if band.confidence is None else band.confidence
            started = time.perf_counter()
            if len(rows):
                send_chunk(writer.write(rows))
            timings, encode_s = timings + band.timings, encode_s + time.perf_counter() - started
        return self._response(b"", image, timings, encode_s)

    def _response(self, body: bytes, image: NDArray[np.uint8], timings: Timings, encode_s: float) -> EncodedResponse:
        stages = {
            "decode": self._decode_s,
            "preprocess": timings.preprocess_s,
            "forward": timings.forward_s,
            "upsample": timings.upsample_s,
            "encode": encode_s,
        }
        waited_s = time.perf_counter() - self._received - sum(stages.values())
        digest = self.segmenter.checkpoint.digest
        return EncodedResponse(body, image.shape[0] * image.shape[1], {"queue": max(0.0, waited_s), **stages}, digest)

    def _render(self, image: NDArray[np.uint8], segmentation: Segmentation) -> bytes:
        digest = self.segmenter.checkpoint.digest
        match self._options.output:
            case OutputFormat.PNG:
                return render_png(segmentation, digest)
            case OutputFormat.OVERLAY:
                return render_overlay(image, segmentation, self._options.alpha, digest)
            case OutputFormat.CONFIDENCE:
                return render_confidence(segmentation, digest)
            case OutputFormat.JSON:
                return render_json(segmentation, self._options.mask, digest)
            case rendering:
                return rendering.render(segmentation, digest)

    def _raise_if_cancelled(self) -> None:
        if self.cancelled.is_set():
            raise Cancelled
