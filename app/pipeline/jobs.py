"""One request's work: bytes of an image in, bytes of an answer out. Runs in worker threads."""

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
from app.images.pool import Decoders, Picture
from app.pipeline.cost import Price, price
from app.pipeline.options import Options
from app.pipeline.scheduler import Abandoned, Scheduler
from model.segmentation import NO_TIME, Band, Segmentation, Timings, collect
from model.segmenter import Segmenter

Deliver = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class Answer:
    """The body of a response.

    Attributes:
        body: in the output format; empty if it was delivered in parts.
        pixels: of the image.
        stages: seconds spent on each stage, in order.
        digest: of the weights that made it.
    """

    body: bytes
    pixels: int
    stages: dict[str, float]
    digest: str


class Job:
    """One request's work, in steps that the service takes one after the other.

    Args:
        data: the image file.
        options: what to make of it.
        segmenter: predicts; the request's own, whatever is served when its turn comes.
        max_pixels: the most that are decoded.
    """

    def __init__(self, data: bytes, options: Options, segmenter: Segmenter, max_pixels: int) -> None:
        self.segmenter = segmenter
        self.abandoned = threading.Event()
        """Set when nobody waits for the answer any more; work stops after the step or band at hand."""
        self.progress = 0.0
        """The share of its rows that are predicted, of an image that is predicted band by band."""
        self._options = options
        self._max_pixels = max_pixels
        self._data: bytes | None = data
        self._picture: Picture | None = None
        self._received = time.perf_counter()
        self._decode_s = 0.0

    @property
    def wants_confidence(self) -> bool:
        return self._options.output.wants_confidence

    def open(self, decoders: Decoders) -> Price:
        """Read the header; what all the rest costs.

        Raises:
            ProblemError, TilingError: the image cannot be segmented.
        """
        self._require_audience()
        started = time.perf_counter()
        data, self._data = self._data, None
        assert data is not None
        self._picture = picture = decoders.open(data)
        limits = self.segmenter.limits
        cost = price(picture.height, picture.width, picture.decode_bytes, self._options, limits, self._max_pixels)
        self._decode_s += time.perf_counter() - started
        return cost

    def decode(self, decoders: Decoders) -> NDArray[np.uint8]:
        """(height, width, 3), uint8 RGB; after ``open``.

        Raises:
            ProblemError: the image is damaged.
        """
        started = time.perf_counter()
        assert self._picture is not None
        image = decoders.decode(self._picture, self._require_audience)
        self._picture.close()
        self._decode_s += time.perf_counter() - started
        return image

    def predict(self, image: NDArray[np.uint8], scheduler: Scheduler) -> "Future[Segmentation]":
        """Have a photograph predicted in one pass."""
        return scheduler.segment(self.segmenter, image, self.abandoned, confidence=self.wants_confidence)

    def encode(self, image: NDArray[np.uint8], segmentation: Segmentation) -> Answer:
        """The answer, whole."""
        self._require_audience()
        started = time.perf_counter()
        body = self._render(image, segmentation)
        return self._answer(body, image, segmentation.timings, time.perf_counter() - started)

    def run(self, decoders: Decoders, scheduler: Scheduler, deliver: Deliver) -> Answer:
        """All that follows ``open``, for images that are predicted band by band.

        Args:
            decoders: decode it.
            scheduler: decides when each band is predicted.
            deliver: is called with the parts of a PNG as soon as they are known.

        Raises:
            ProblemError: the image is damaged.
        """
        image = self.decode(decoders)
        tiling, confidence = self._options.tiling, self.wants_confidence
        bands = scheduler.bands(self.segmenter, image, tiling, self.abandoned, confidence=confidence)
        bands = self._followed(bands, image.shape[0])
        if self._options.output.is_streamed:
            return self._stream(image, bands, deliver)
        labels = self.segmenter.checkpoint.labels
        return self.encode(image, collect(bands, image.shape[:2], labels, confidence=confidence))

    def close(self) -> None:
        """Give the file back; after the last step."""
        if self._picture is not None:
            self._picture.close()

    def _followed(self, bands: Iterator[Band], height: int) -> Iterator[Band]:
        for band in bands:
            self.progress += len(band.mask) / height
            yield band

    def _stream(self, image: NDArray[np.uint8], bands: Iterator[Band], deliver: Deliver) -> Answer:
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
                deliver(writer.write(rows))
            timings, encode_s = timings + band.timings, encode_s + time.perf_counter() - started
        return self._answer(b"", image, timings, encode_s)

    def _answer(self, body: bytes, image: NDArray[np.uint8], timings: Timings, encode_s: float) -> Answer:
        stages = {
            "decode": self._decode_s,
            "preprocess": timings.preprocess_s,
            "forward": timings.forward_s,
            "upsample": timings.upsample_s,
            "encode": encode_s,
        }
        waited_s = time.perf_counter() - self._received - sum(stages.values())
        digest = self.segmenter.checkpoint.digest
        return Answer(body, image.shape[0] * image.shape[1], {"queue": max(0.0, waited_s), **stages}, digest)

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

    def _require_audience(self) -> None:
        if self.abandoned.is_set():
            raise Abandoned
