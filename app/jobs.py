"""One request's work: bytes of an image in, bytes of an answer out. Runs in worker threads."""

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.images import decode_image, open_image
from app.rendering import (
    MaskEncoding,
    OutputFormat,
    render_confidence,
    render_json,
    render_overlay,
    render_png,
)
from app.scheduler import Abandoned, Scheduler, Ticket
from model.segmentation import Segmentation, collect
from model.tiling import Tiling


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
        body: in the output format.
        digest: of the checkpoint that made it.
        pixels: of the image.
        stages: seconds spent on each stage, in order.
    """

    body: bytes
    digest: str
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

    def run(self, scheduler: Scheduler) -> Answer:
        """Decode, predict, encode; after ``open``.

        Raises:
            ProblemError: the image cannot be segmented.
            Abandoned: nobody waits any more.
        """
        self._ticket.begin(self._asked)
        started = time.perf_counter()
        image = decode_image(self._picture)
        decoded = time.perf_counter()
        segmentation = self._predict(image, scheduler)
        if self._ticket.abandoned.is_set():
            raise Abandoned
        predicted = time.perf_counter()
        digest = scheduler.segmenter.checkpoint.digest
        body = self._render(image, segmentation, digest)
        timings = segmentation.timings
        stages = {
            "queue": self._ticket.waited_s,
            "decode": self._open_s + decoded - started,
            "preprocess": timings.preprocess_s,
            "forward": timings.forward_s,
            "upsample": timings.upsample_s,
            "encode": time.perf_counter() - predicted,
        }
        return Answer(body, digest, segmentation.mask.size, stages)

    def _predict(self, image: NDArray[np.uint8], scheduler: Scheduler) -> Segmentation:
        confidence = self._options.output is OutputFormat.CONFIDENCE
        if self._is_photograph:
            return scheduler.segment(image, self._ticket, confidence=confidence)
        bands = scheduler.bands(image, self._options.tiling, self._ticket, confidence=confidence)
        return collect(bands, image.shape[:2], scheduler.segmenter.checkpoint.labels, confidence=confidence)

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
