"""Decides what the device computes next, of all requests."""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from app.observability.metrics import Metrics
from app.pipeline.device_health import DeviceHealth
from app.pipeline.step import finished
from app.problems import DEVICE_FAILED, OUT_OF_MEMORY, ProblemError
from app.threads import single_core_thread_pool, thread_pool
from model.device import is_out_of_memory
from model.errors import SegmentationError
from model.networks.fcn import aligned
from model.segmentation import Band, Segmentation
from model.segmenter import Segmenter
from model.tiling import Tiling

_logger = logging.getLogger("app")

_MAX_BATCH_IMAGES = 32
"""Maximum number of small images in one pass."""

_Result = TypeVar("_Result")


class Cancelled(Exception):  # noqa: N818 (no error: nobody waits for the result any more)
    """Work was left out because nobody waits for it."""


@dataclass(frozen=True, slots=True, eq=False)
class _SmallImage:
    """An image that waits to be predicted in one pass."""

    segmenter: Segmenter
    image: NDArray[np.uint8]
    confidence: bool
    cancelled: threading.Event
    result: "Future[Segmentation]" = field(default_factory=Future)

    @property
    def size(self) -> tuple[int, int]:
        return aligned(self.image.shape[0]), aligned(self.image.shape[1])

    def is_like(self, other: "_SmallImage") -> bool:
        """Whether both can be predicted together."""
        return (self.segmenter, self.size, self.confidence) == (other.segmenter, other.size, other.confidence)

    def is_wanted(self) -> bool:
        """Whether somebody waits for the result still; from now on it can't be cancelled."""
        if not self.result.set_running_or_notify_cancel():
            return False
        if self.cancelled.is_set():
            self.result.set_exception(Cancelled())
            return False
        return True


class Scheduler:
    """Decides what is computed when, and by which threads.

    Small images, which one pass predicts, are predicted in the order of asking: one with all cores if no other is
    there, else each on a core of its own, side by side, which does more in the same time. On a GPU those of one size
    that wait are predicted together. Large images are predicted a band at a time, in turn, but for their first rows,
    which they make one after another: round robin would delay every first row. Their thread has a low priority, so
    that small images hardly notice them, and gets what is left and no less than a quarter.

    Args:
        all_cores: one thread, that predicts with all cores: the one that has loaded and warmed up the segmenter, for
            OpenMP slows down as soon as two threads have helpers of their own.
        metrics: counts.
        batch_pixels: maximum pixels of small images predicted together; 0 if they are predicted side by side.
        cores: number of CPU cores on which small images are predicted side by side.
        keep_threads: whether the thread of large images stays when there are none: cuDNN keeps its plans per thread,
            and does not free them when a thread ends.
        large_images: thread that predicts large images; without it they have one of a low priority.
    """

    def __init__(
        self,
        all_cores: ThreadPoolExecutor,
        metrics: Metrics,
        batch_pixels: int = 0,
        cores: int = 1,
        *,
        keep_threads: bool = False,
        large_images: ThreadPoolExecutor | None = None,
    ) -> None:
        self.health = DeviceHealth()
        self._metrics = metrics
        self._batch_pixels = batch_pixels
        self._core_count = 1 if batch_pixels else cores
        self._busy_cores = 0
        self._waiting: deque[_SmallImage] = deque()
        self._lock = threading.RLock()
        self._is_open = True
        self._all_cores = all_cores
        self._keep_threads = keep_threads or large_images is not None
        self._one_core = single_core_thread_pool("one-core", self._core_count)
        self._slow = large_images
        self._first_rows = asyncio.Lock()
        self._large_images = 0

    def segment(
        self,
        segmenter: Segmenter,
        image: NDArray[np.uint8],
        cancelled: threading.Event,
        *,
        confidence: bool = False,
    ) -> "Future[Segmentation]":
        """Predict a small image when its turn has come.

        Args:
            segmenter: predicts.
            image: (height, width, 3), uint8 RGB.
            cancelled: set when nobody waits for it any more; the future then ends with ``Cancelled``, and work on it
                stops between two layers.
            confidence: also give the winning classes' probabilities.

        Returns:
            The prediction, or a ProblemError if the device failed.
        """
        small = _SmallImage(segmenter, image, confidence, cancelled)
        with self._lock:
            # Those that nobody waits for any more would be left out in their turn; their pixels are not to wait for it.
            self._waiting = deque(other for other in self._waiting if not other.result.cancelled())
            self._waiting.append(small)
            self._start()
        return small.result

    async def bands(
        self,
        segmenter: Segmenter,
        image: NDArray[np.uint8],
        tiling: Tiling,
        cancelled: threading.Event,
        *,
        confidence: bool = False,
    ) -> AsyncGenerator[Band, None]:
        """Predict an image band by band; waits for a turn for each.

        Raises:
            TilingError: it cannot be predicted that way.
            Cancelled: nobody waited for it when its turn came.
            ProblemError: the device failed.
        """
        bands = segmenter.bands(image, tiling=tiling, confidence=confidence)
        is_streamed = segmenter.limits.is_streamed(image.shape[0], image.shape[1], tiling)

        def take() -> Band | None:
            if cancelled.is_set():
                raise Cancelled
            return self._on_device(lambda: next(bands, None))

        with self._slow_thread() as thread:
            async with AsyncExitStack() as first_rows:
                if is_streamed:
                    await first_rows.enter_async_context(self._first_rows)
                while (band := await finished(thread.submit(take))) is not None:
                    if len(band.mask):
                        await first_rows.aclose()
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
        """The thread of large images. It is there while there are any: see ``all_cores`` and ``keep_threads``."""
        with self._lock:
            if self._slow is None:
                self._slow = thread_pool("slow", 1, low_priority=True)
            slow = self._slow
            self._large_images += 1
        try:
            yield slow
        finally:
            with self._lock:
                self._large_images -= 1
                if not self._large_images and not self._keep_threads:
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

    def _take_batch(self) -> list[_SmallImage]:
        """The small image that has waited longest, and on a GPU others like it; none if nobody waits for it."""
        first = self._waiting.popleft()
        height, width = first.size
        alike = [other for other in self._waiting if other.is_like(first)]
        count = _batch_size(1 + len(alike), self._batch_pixels // (height * width))
        for other in alike[: count - 1]:
            self._waiting.remove(other)
        return [small for small in (first, *alike[: count - 1]) if small.is_wanted()]

    def _predict(self, batch: list[_SmallImage], cores: int) -> None:
        self._metrics.batch_images.observe(len(batch))
        outcomes = self._outcomes(batch)
        with self._lock:
            self._busy_cores -= cores
            self._start()
        for small, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                small.result.set_exception(outcome)
            else:
                small.result.set_result(outcome)

    def _outcomes(self, batch: Sequence[_SmallImage]) -> list[Segmentation | BaseException]:
        """Of one pass if the device has memory for it, else of halves."""
        first = batch[0]
        images = [small.image for small in batch]

        def raise_if_cancelled() -> None:
            if all(small.cancelled.is_set() for small in batch):
                raise Cancelled

        segment_together = partial(
            first.segmenter.segment_together, confidence=first.confidence, interrupt=raise_if_cancelled
        )
        try:
            return [*self._on_device(lambda: segment_together(images))]
        except BaseException as error:
            is_too_large = isinstance(error, ProblemError) and error.problem is OUT_OF_MEMORY and len(batch) > 1
            if not is_too_large:
                return [error] * len(batch)
        half = len(batch) // 2
        return [*self._outcomes(batch[:half]), *self._outcomes(batch[half:])]

    def _on_device(self, compute: Callable[[], _Result]) -> _Result:
        """What the device computes; its failures are counted and become problems, faults of images pass."""
        try:
            result = compute()
        except (Cancelled, SegmentationError):
            raise
        except Exception as error:
            problem = self._problem(error)
        else:
            self.health.succeeded()
            return result
        # Outside of the handler, where the failed pass is no longer referred to, its memory can be given back.
        torch.cuda.empty_cache()
        raise problem

    def _problem(self, error: Exception) -> ProblemError:
        """Log and count a failure of the device."""
        if is_out_of_memory(error):
            self._metrics.out_of_memory.inc()
            _logger.warning("the device is out of memory: %s", error)
            detail = "the device has no memory left for the image; try again"
            problem = ProblemError(OUT_OF_MEMORY, detail, retry_after_s=1)
        else:
            self._metrics.device_failures.inc()
            self.health.failed(error)
            problem = ProblemError(DEVICE_FAILED, "the device failed; try again", retry_after_s=1)
        _drop_tracebacks(error)
        problem.__cause__ = error
        return problem


def _batch_size(waiting: int, most: int) -> int:
    """The greatest power of two in both, at least 1: cuDNN plans, and keeps its plan, for every size of a batch."""
    return 1 << (max(1, min(waiting, most, _MAX_BATCH_IMAGES)).bit_length() - 1)


def _drop_tracebacks(error: BaseException | None) -> None:
    """Of an error and of those it came from: their frames hold the failed pass's activations."""
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__
