"""One request's work: bytes of an image in, bytes of an answer out. Runs in worker threads."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto

import numpy as np
from numpy.typing import NDArray
from PIL import Image

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
from app.scheduler import Abandoned, Scheduler
from model.checkpoint import Checkpoint
from model.segmentation import NO_TIME, Band, Segmentation, Timings, collect
from model.tiling import Tiling

Deliver = Callable[[bytes], None]

_LARGE_PIXELS = 1 << 24
"""Of the largest image that is not a giant: some 50 MB once decoded."""

_STREAMED = (OutputFormat.PNG, OutputFormat.CONFIDENCE)
"""What is delivered while it is being made, if the image is large."""


class Size(Enum):
    """What an image is to the service.

    ``PHOTOGRAPH``: one pass predicts it. ``LARGE``: it is predicted band by band; several fit into memory.
    ``GIANT``: it is predicted band by band, and few fit into memory.
    """

    PHOTOGRAPH = auto()
    LARGE = auto()
    GIANT = auto()


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
    """One request's work, in steps that the service takes one after the other.

    Args:
        data: the image file.
        options: what to make of it.
        max_pixels: the most that are decoded.
    """

    def __init__(self, data: bytes, options: Options, max_pixels: int) -> None:
        self.abandoned = threading.Event()
        """Set when nobody waits for the answer any more; work stops after the step or band at hand."""
        self._options = options
        self._max_pixels = max_pixels
        self._data: bytes | None = data
        self._received = time.perf_counter()
        self._decode_s = 0.0

    @property
    def wants_confidence(self) -> bool:
        return self._options.output is OutputFormat.CONFIDENCE

    def open(self, scheduler: Scheduler) -> Size:
        """Read the header.

        Raises:
            ProblemError, TilingError: the image cannot be segmented.
        """
        self._require_audience()
        started = time.perf_counter()
        assert self._data is not None
        self._picture: Image.Image | None = open_image(self._data, self._max_pixels)
        self._data = None
        width, height = self._picture.size
        is_photograph = scheduler.is_photograph(height, width, self._options.tiling)
        self._decode_s += time.perf_counter() - started
        if is_photograph:
            return Size.PHOTOGRAPH
        return Size.GIANT if width * height > _LARGE_PIXELS else Size.LARGE

    def decode(self) -> NDArray[np.uint8]:
        """(height, width, 3), uint8 RGB; after ``open``.

        Raises:
            ProblemError: the image is damaged.
        """
        self._require_audience()
        started = time.perf_counter()
        # The file and Pillow's own copy of its pixels are given up with the last name for them.
        picture, self._picture = self._picture, None
        assert picture is not None
        image = decode_image(picture)
        self._decode_s += time.perf_counter() - started
        return image

    def encode(self, image: NDArray[np.uint8], segmentation: Segmentation, digest: str) -> Answer:
        """The answer, whole."""
        self._require_audience()
        started = time.perf_counter()
        body = self._render(image, segmentation, digest)
        return self._answer(body, image, segmentation.timings, time.perf_counter() - started)

    def run(self, scheduler: Scheduler, deliver: Deliver) -> Answer:
        """All that follows ``open``, for images that are predicted band by band.

        Args:
            scheduler: predicts.
            deliver: is called with the parts of a PNG as soon as they are known.

        Raises:
            ProblemError: the image is damaged.
        """
        image = self.decode()
        checkpoint = scheduler.segmenter.checkpoint
        bands = scheduler.bands(image, self._options.tiling, self.abandoned, confidence=self.wants_confidence)
        if self._options.output in _STREAMED:
            return self._stream(image, bands, checkpoint, deliver)
        segmentation = collect(bands, image.shape[:2], checkpoint.labels, confidence=self.wants_confidence)
        return self.encode(image, segmentation, checkpoint.digest)

    def _stream(
        self, image: NDArray[np.uint8], bands: Iterator[Band], checkpoint: Checkpoint, deliver: Deliver
    ) -> Answer:
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
        return Answer(body, image.shape[0] * image.shape[1], {"queue": max(0.0, waited_s), **stages})

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

    def _require_audience(self) -> None:
        if self.abandoned.is_set():
            raise Abandoned
