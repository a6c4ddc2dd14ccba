"""Decides what the device computes next, of all requests."""

import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.threads import start_threads, start_threads_of_one_core
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

    def is_wanted(self) -> bool:
        """Whether somebody waits for the result still; from now on it can't be cancelled."""
        if not self.result.set_running_or_notify_cancel():
            return False
        if self.abandoned.is_set():
            self.result.set_exception(Abandoned())
            return False
        return True


class Scheduler:
    """Decides what is computed when, and by which threads.

    Photographs, which one pass predicts, are predicted in the order of asking: one with all cores if no other is
    there, else each on a core of its own, side by side, which does more in the same time. On a GPU those of one size
    that wait are predicted together. Larger images are predicted a band at a time, in turn; their thread makes way for
    the photographs', so that these hardly notice them, and gets what is left and no less than a quarter.

    Args:
        segmenter: predicts.
        all_cores: one thread, that predicts with all cores: the one that has loaded and warmed up the segmenter, for
            OpenMP slows down as soon as two threads have helpers of their own.
        batch_pixels: of photographs predicted together; 0 chooses what suits the device.
        cores: of a CPU, that photographs are predicted on side by side.
    """

    def __init__(
        self, segmenter: Segmenter, all_cores: ThreadPoolExecutor, batch_pixels: int = 0, cores: int = 1
    ) -> None:
        self.segmenter = segmenter
        self._batch_pixels = batch_pixels or (_CUDA_BATCH_PIXELS if segmenter.device.type == "cuda" else 0)
        self._core_count = 1 if self._batch_pixels else cores
        self._busy_cores = 0
        self._waiting: deque[_Photograph] = deque()
        self._lock = threading.RLock()
        self._is_open = True
        self._all_cores = all_cores
        self._one_core = start_threads_of_one_core("one-core", self._core_count)
        self._slow: ThreadPoolExecutor | None = None
        self._large_images = 0

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
            self._start()
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

        with self._slow_thread() as thread:
            while (band := thread.submit(take).result()) is not None:
                yield band

    def close(self) -> None:
        """Give up what has not started."""
        with self._lock:
            self._is_open = False
            self._start()
            for threads in (self._all_cores, self._one_core, self._slow):
                if threads is not None:
                    threads.shutdown(wait=False, cancel_futures=True)

    @contextmanager
    def _slow_thread(self) -> Iterator[ThreadPoolExecutor]:
        """The thread of large images. It is there while there are any: see ``all_cores``."""
        with self._lock:
            if self._slow is None:
                self._slow = start_threads("slow", 1, make_way=True)
            slow = self._slow
            self._large_images += 1
        try:
            yield slow
        finally:
            with self._lock:
                self._large_images -= 1
                if not self._large_images:
                    slow.shutdown(wait=False)
                    self._slow = None

    def _start(self) -> None:
        """Start what there are cores for."""
        while self._waiting and not self._is_open:
            self._waiting.popleft().result.cancel()
        while self._waiting and self._busy_cores < self._core_count:
            is_alone = self._core_count == 1 or (self._busy_cores == 0 and len(self._waiting) == 1)
            batch = self._take_batch()
            if not batch:
                continue
            threads, cores = (self._all_cores, self._core_count) if is_alone else (self._one_core, 1)
            self._busy_cores += cores
            threads.submit(self._predict, batch, cores)

    def _take_batch(self) -> list[_Photograph]:
        """The photograph that has waited longest, and on a GPU others like it; none if nobody waits for it."""
        first = self._waiting.popleft()
        batch = [first]
        height, width, _ = first.kind
        while len(batch) < self._batch_pixels // (height * width):
            like = next((other for other in self._waiting if other.kind == first.kind), None)
            if like is None:
                break
            self._waiting.remove(like)
            batch.append(like)
        return [photograph for photograph in batch if photograph.is_wanted()]

    def _predict(self, batch: list[_Photograph], cores: int) -> None:
        results: list[Segmentation] = []
        fault: BaseException | None = None
        try:
            images = [photograph.image for photograph in batch]
            results = self.segmenter.segment_together(images, confidence=batch[0].confidence)
        except BaseException as error:
            fault = error
        with self._lock:
            self._busy_cores -= cores
            self._start()
        for number, photograph in enumerate(batch):
            if fault is not None:
                photograph.result.set_exception(fault)
            else:
                photograph.result.set_result(results[number])
