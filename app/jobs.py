"""One request's work: bytes of an image in, bytes of an answer out. Runs in a worker thread."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.images import decode_image
from app.rendering import (
    MaskEncoding,
    OutputFormat,
    render_confidence,
    render_json,
    render_overlay,
    render_png,
)
from app.turns import Turns
from model.segmentation import Segmentation
from model.segmenter import Segmenter
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


class Abandoned(Exception):  # noqa: N818 (no error: nobody waits for the answer any more)
    """Work was stopped between two stages or tiles because nobody waits for it."""


@dataclass(slots=True)
class Job:
    """One request's work.

    Attributes:
        data: the image file.
        options: what to make of it.
        max_pixels: the most that are decoded.
        abandoned: set when nobody waits for the answer any more; work then stops after the stage or tile at hand.
    """

    data: bytes
    options: Options
    max_pixels: int
    abandoned: threading.Event = field(default_factory=threading.Event)
    _submitted: float = field(default_factory=time.perf_counter)

    def run(self, segmenter: Segmenter, turns: Turns) -> Answer:
        """Decode, predict, encode.

        Args:
            segmenter: predicts.
            turns: on its device.

        Raises:
            ProblemError, TilingError: the image cannot be segmented.
            Abandoned: nobody waits any more.
        """
        started = time.perf_counter()
        waited_s = started - self._submitted
        self._require_audience()
        image = decode_image(self.data, self.max_pixels)
        decoded = time.perf_counter()

        @contextmanager
        def turn() -> Iterator[None]:
            nonlocal waited_s
            asked = time.perf_counter()
            with turns.take():
                waited_s += time.perf_counter() - asked
                self._require_audience()
                yield

        confidence = self.options.output is OutputFormat.CONFIDENCE
        segmentation = segmenter.segment(image, tiling=self.options.tiling, confidence=confidence, turn=turn)
        self._require_audience()
        predicted = time.perf_counter()
        digest = segmenter.checkpoint.digest
        body = self._render(image, segmentation, digest)
        timings = segmentation.timings
        stages = {
            "queue": waited_s,
            "decode": decoded - started,
            "preprocess": timings.preprocess_s,
            "forward": timings.forward_s,
            "upsample": timings.upsample_s,
            "encode": time.perf_counter() - predicted,
        }
        return Answer(body, digest, segmentation.mask.size, stages)

    def _render(self, image: NDArray[np.uint8], segmentation: Segmentation, digest: str) -> bytes:
        match self.options.output:
            case OutputFormat.PNG:
                return render_png(segmentation, digest)
            case OutputFormat.OVERLAY:
                return render_overlay(image, segmentation, self.options.alpha, digest)
            case OutputFormat.CONFIDENCE:
                return render_confidence(segmentation, digest)
            case OutputFormat.JSON:
                return render_json(segmentation, self.options.mask, digest)

    def _require_audience(self) -> None:
        if self.abandoned.is_set():
            raise Abandoned
