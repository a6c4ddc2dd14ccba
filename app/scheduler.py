"""Decides what the device computes next, of all requests."""

import threading
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


@dataclass(frozen=True, slots=True, eq=False)
class _Photograph:
    """An image that waits to be predicted in one pass."""

    image: NDArray[np.uint8]
    confidence: bool
    abandoned: threading.Event
    result: "Future[Segmentation]" = field(default_factory=Future)

    @property
    def kind(self) -> tuple[int, int, bool]:
        """Photographs of one kind can be predicted together."""
        return aligned(self.image.shape[0]), aligned(self.image.shape[1]), self.confidence


class Scheduler:
    """Two queues, each served by a thread of its own.

    Photographs, which one pass predicts, are predicted in the order of asking, on a GPU together with others of their
    size that wait. Larger images are predicted a band at a time, in turn; their thread makes way for the photographs',
    so that these hardly notice them, and gets what is left and no less than a quarter.

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

    def segment(
        self, image: NDArray[np.uint8], abandoned: threading.Event, *, confidence: bool = False
    ) -> "Future[Segmentation]":
        """Predict a photograph when its turn has come.

        Args:
            image: (height, width, 3), uint8 RGB.
            abandoned: set when nobody waits for it any more; if it is then, the future ends with ``Abandoned``.
            confidence: also give the winning classes' probabilities.
        """
        photograph = _Photograph(image, confidence, abandoned)
        with self._lock:
            self._waiting.append(photograph)
        self._express.submit(self._predict_photographs)
        return photograph.result

    def bands(
        self, image: NDArray[np.uint8], tiling: Tiling, abandoned: threading.Event, *, confidence: bool = False
    ) -> Iterator[Band]:
        """Predict an image band by band; waits for a turn for each.

        Raises:
            TilingError: it cannot be predicted that way.
            Abandoned: nobody waited for it when its turn came.
        """
        bands = self.segmenter.bands(image, tiling=tiling, confidence=confidence)

        def take() -> Band | None:
            if abandoned.is_set():
                raise Abandoned
            return next(bands, None)

        while (band := self._slow.submit(take).result()) is not None:
            yield band

    def close(self) -> None:
        """Give up what has not started."""
        for threads in (self._express, self._slow):
            threads.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            while self._waiting:
                self._waiting.popleft().result.cancel()

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
                if not photograph.result.set_running_or_notify_cancel():
                    continue
                if photograph.abandoned.is_set():
                    photograph.result.set_exception(Abandoned())
                    continue
                batch.append(photograph)
        return batch
