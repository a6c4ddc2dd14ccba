"""One request's work: bytes of an image in, bytes of an answer out. Runs in worker threads."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.images import decode_image, open_image
from app.rendering import (
    MaskEncoding,
    OutputFormat,
    confidence_writer,
    mask_writer,
    render_confidence,
    render_json,
    render_overlay,
    render_png,
)
from app.scheduler import Abandoned, Scheduler, Ticket
from model.segmentation import NO_TIME, Segmentation, Timings, collect
from model.tiling import Tiling

Deliver = Callable[[bytes], None]

_STREAMED = (OutputFormat.PNG, OutputFormat.CONFIDENCE)
"""What is delivered while it is being made, if the image is large."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a client asked for."""

    output: OutputFormat
    mask: MaskEncoding
    tiling: Tiling
    alpha: float


@dataclass(frozen=True, slots=True)
class Answer:
    """The body of a response.

    Attributes:
        body: in the output format; empty if it was delivered in parts.
        pixels: of the image.
        stages: seconds spent on each stage, in order.
    """

    body: bytes
    pixels: int
    stages: dict[str, float]


class Job:
    """One request's work, in two parts: what the image's header tells, and the rest.

    Args:
        data: the image file.
        options: what to make of it.
        max_pixels: the most that are decoded.
    """

    def __init__(self, data: bytes, options: Options, max_pixels: int) -> None:
        self._data = data
        self._options = options
        self._max_pixels = max_pixels
        self._ticket = Ticket()
        self._asked = time.perf_counter()

    def abandon(self) -> None:
        """Nobody waits for the answer any more; work stops after the stage or band at hand."""
        self._ticket.abandoned.set()

    def open(self, scheduler: Scheduler) -> bool:
        """Read the header; whether the image is a photograph that one pass predicts.

        Raises:
            ProblemError, TilingError: the image cannot be segmented.
            Abandoned: nobody waits any more.
        """
        self._ticket.begin(self._asked)
        started = time.perf_counter()
        self._picture = open_image(self._data, self._max_pixels)
        width, height = self._picture.size
        self._is_photograph = scheduler.is_photograph(height, width, self._options.tiling)
        self._asked = time.perf_counter()
        self._open_s = self._asked - started
        return self._is_photograph

    def run(self, scheduler: Scheduler, deliver: Deliver) -> Answer:
        """Decode, predict, encode; after ``open``.

        Args:
            scheduler: predicts.
            deliver: is called with the parts of a large image's PNG as soon as they are known.

        Raises:
            ProblemError: the image cannot be segmented.
            Abandoned: nobody waits any more.
        """
        self._ticket.begin(self._asked)
        started = time.perf_counter()
        image = decode_image(self._picture)
        decode_s = self._open_s + time.perf_counter() - started
        if not self._is_photograph and self._options.output in _STREAMED:
            body, timings, encode_s = b"", *self._stream(image, scheduler, deliver)
        else:
            segmentation = self._predict(image, scheduler)
            if self._ticket.abandoned.is_set():
                raise Abandoned
            predicted = time.perf_counter()
            body = self._render(image, segmentation, scheduler.segmenter.checkpoint.digest)
            timings, encode_s = segmentation.timings, time.perf_counter() - predicted
        stages = {
            "queue": self._ticket.waited_s,
            "decode": decode_s,
            "preprocess": timings.preprocess_s,
            "forward": timings.forward_s,
            "upsample": timings.upsample_s,
            "encode": encode_s,
        }
        return Answer(body, image.shape[0] * image.shape[1], stages)

    def _predict(self, image: NDArray[np.uint8], scheduler: Scheduler) -> Segmentation:
        confidence = self._options.output is OutputFormat.CONFIDENCE
        if self._is_photograph:
            return scheduler.segment(image, self._ticket, confidence=confidence)
        bands = scheduler.bands(image, self._options.tiling, self._ticket, confidence=confidence)
        return collect(bands, image.shape[:2], scheduler.segmenter.checkpoint.labels, confidence=confidence)

    def _stream(self, image: NDArray[np.uint8], scheduler: Scheduler, deliver: Deliver) -> tuple[Timings, float]:
        """Predict and encode band by band; the seconds of the prediction's stages and of encoding."""
        checkpoint, confidence = scheduler.segmenter.checkpoint, self._options.output is OutputFormat.CONFIDENCE
        height, width = image.shape[:2]
        if confidence:
            writer = confidence_writer(height, width, checkpoint.digest)
        else:
            writer = mask_writer(height, width, checkpoint.labels, checkpoint.digest)
        timings, encode_s = NO_TIME, 0.0
        for band in scheduler.bands(image, self._options.tiling, self._ticket, confidence=confidence):
            rows = band.mask if band.confidence is None else band.confidence
            started = time.perf_counter()
            if len(rows):
                deliver(writer.write(rows))
            timings, encode_s = timings + band.timings, encode_s + time.perf_counter() - started
        return timings, encode_s

    def _render(self, image: NDArray[np.uint8], segmentation: Segmentation, digest: str) -> bytes:
        match self._options.output:
            case OutputFormat.PNG:
                return render_png(segmentation, digest)
            case OutputFormat.OVERLAY:
                return render_overlay(image, segmentation, self._options.alpha, digest)
            case OutputFormat.CONFIDENCE:
                return render_confidence(segmentation, digest)
            case OutputFormat.JSON:
                return render_json(segmentation, self._options.mask, digest)
