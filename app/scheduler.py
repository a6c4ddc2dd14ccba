"""Decides what the device computes next, of all requests."""

import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.threads import start_threads
from model.networks.fcn import aligned
from model.segmentation import Band, Segmentation
from model.segmenter import Segmenter
from model.tiling import Tiling

_CUDA_BATCH_PIXELS = 1 << 23
"""Pixels of a batch on a GPU, unless set: some forty photographs."""


class Abandoned(Exception):  # noqa: N818 (no error: nobody waits for the result any more)
    """Work was left out because nobody waits for it."""


@dataclass(slots=True)
class Ticket:
    """A request's claim on the device.

    Attributes:
        abandoned: set when nobody waits for the result any more; work that has not begun is then left out.
        waited_s: seconds that its work has waited for its turn.
    """

    abandoned: threading.Event = field(default_factory=threading.Event)
    waited_s: float = 0.0

    def begin(self, asked: float) -> None:
        """Note that work begins that was asked for at a time of ``time.perf_counter``.

        Raises:
            Abandoned: nobody waits for it.
        """
        self.waited_s += time.perf_counter() - asked
        if self.abandoned.is_set():
            raise Abandoned


@dataclass(frozen=True, slots=True, eq=False)
class _Photograph:
    """An image that waits to be predicted in one pass."""

    image: NDArray[np.uint8]
    confidence: bool
    ticket: Ticket
    asked: float = field(default_factory=time.perf_counter)
    result: "Future[Segmentation]" = field(default_factory=Future)

    @property
    def kind(self) -> tuple[int, int, bool]:
        """Photographs of one kind can be predicted together."""
        return aligned(self.image.shape[0]), aligned(self.image.shape[1]), self.confidence


class Scheduler:
    """Two queues, each served by a thread of its own.

    Photographs, which one pass predicts, are predicted in the order of asking, on a GPU together with others of their
    size that wait. Large images are predicted a band at a time, in turn; their thread makes way for the photographs',
    so that these hardly notice them, and gets what is left and no less than a tenth.

    Args:
        segmenter: predicts.
        batch_pixels: of photographs predicted together; 0 chooses what suits the device.
    """

    def __init__(self, segmenter: Segmenter, batch_pixels: int = 0) -> None:
        self.segmenter = segmenter
        on_gpu = segmenter.device.type == "cuda"
        self._batch_pixels = batch_pixels or (_CUDA_BATCH_PIXELS if on_gpu else 1)
        self._waiting: deque[_Photograph] = deque()
        self._lock = threading.Lock()
        self._express = start_threads("express", 1, device=segmenter.device)
        self._slow = start_threads("slow", 1, make_way=True, device=segmenter.device)

    def is_photograph(self, height: int, width: int, tiling: Tiling) -> bool:
        """Whether an image is predicted in one pass, and so by ``segment`` and not by ``bands``.

        Raises:
            TilingError: it cannot be predicted that way.
        """
        limits = self.segmenter.limits
        is_small = aligned(height) * aligned(width) <= limits.photograph_pixels
        return limits.choose(height, width, tiling) is Tiling.WHOLE and is_small

    def segment(self, image: NDArray[np.uint8], ticket: Ticket, *, confidence: bool = False) -> Segmentation:
        """Predict a photograph, when its turn has come.

        Raises:
            Abandoned: nobody waited for it when its turn came.
        """
        photograph = _Photograph(image, confidence, ticket)
        with self._lock:
            self._waiting.append(photograph)
        self._express.submit(self._predict_photographs)
        return photograph.result.result()

    def bands(
        self, image: NDArray[np.uint8], tiling: Tiling, ticket: Ticket, *, confidence: bool = False
    ) -> Iterator[Band]:
        """Predict a large image; asks for a turn for each band.

        Raises:
            TilingError: it cannot be predicted that way.
            Abandoned: nobody waited for it when its turn came.
        """
        bands = self.segmenter.bands(image, tiling=tiling, confidence=confidence)

        def take(asked: float) -> Band | None:
            ticket.begin(asked)
            return next(bands, None)

        while (band := self._slow.submit(take, time.perf_counter()).result()) is not None:
            yield band

    def close(self) -> None:
        """Give up what has not started."""
        for threads in (self._express, self._slow):
            threads.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            for photograph in self._waiting:
                photograph.result.cancel()

    def _predict_photographs(self) -> None:
        """Predict the one that has waited longest, and others with it; none if that has been done with another."""
        batch = self._take_batch()
        if not batch:
            return
        try:
            images = [photograph.image for photograph in batch]
            results = self.segmenter.segment_together(images, confidence=batch[0].confidence)
        except BaseException as error:
            for photograph in batch:
                photograph.result.set_exception(error)
            return
        for photograph, result in zip(batch, results, strict=True):
            photograph.result.set_result(result)

    def _take_batch(self) -> list[_Photograph]:
        batch: list[_Photograph] = []
        with self._lock:
            for photograph in list(self._waiting):
                pixels = photograph.kind[0] * photograph.kind[1]
                if batch and (photograph.kind != batch[0].kind or pixels * (len(batch) + 1) > self._batch_pixels):
                    continue
                self._waiting.remove(photograph)
                try:
                    photograph.ticket.begin(photograph.asked)
                except Abandoned as abandoned:
                    photograph.result.set_exception(abandoned)
                else:
                    batch.append(photograph)
        return batch
