"""Decides which request's work the device computes next."""

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
"""Maximum number of small images in one forward pass."""

_Result = TypeVar("_Result")


class Cancelled(Exception):  # noqa: N818 (not an error: the client has disconnected)
    """Work was skipped because its client has disconnected."""


@dataclass(frozen=True, slots=True, eq=False)
class _SmallImage:
    """An image that waits to be predicted in one forward pass."""

    segmenter: Segmenter
    image: NDArray[np.uint8]
    confidence: bool
    cancelled: threading.Event
    result: "Future[Segmentation]" = field(default_factory=Future)

    @property
    def size(self) -> tuple[int, int]:
        return aligned(self.image.shape[0]), aligned(self.image.shape[1])

    def is_like(self, other: "_SmallImage") -> bool:
        """Whether both can be predicted in one batch."""
        return (self.segmenter, self.size, self.confidence) == (other.segmenter, other.size, other.confidence)

    def is_wanted(self) -> bool:
        """Whether the result is still awaited; from now on it cannot be cancelled."""
        if not self.result.set_running_or_notify_cancel():
            return False
        if self.cancelled.is_set():
            self.result.set_exception(Cancelled())
            return False
        return True


class Scheduler:
    """Decides what is computed when, and by which threads.

    Small images are predicted in one forward pass each, first come first served. A single one uses all cores; several
    run in parallel, each on one core, which gives a higher throughput. On a GPU, waiting small images of the same size
    form a batch. Large images are predicted band by band, round robin, except for their first rows, which are
    predicted one image after another, since round robin would delay every first row. The thread of large images has a
    low priority, so that it hardly slows down small images: it gets the remaining processor time, but at least a
    quarter.

    Args:
        all_cores: single-thread executor that predicts with all cores. Its thread must have loaded and warmed up the
            segmenter, since OpenMP slows down as soon as two threads have thread teams of their own.
        metrics: metrics to update.
        batch_pixels: maximum pixels of a batch of small images; 0 if each is predicted on a core of its own.
        cores: number of CPU cores for small images predicted in parallel.
        keep_threads: whether to keep the thread of large images when there are none: cuDNN keeps its plans per thread,
            and does not free them when a thread ends.
        large_images: executor for large images; None creates a low-priority thread.
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
            segmenter: the request's segmenter.
            image: (height, width, 3), uint8 RGB.
            cancelled: set when the client has disconnected; work then stops between two layers, and the future raises
                ``Cancelled``.
            confidence: also compute the winning classes' probabilities.

        Returns:
            A future of the prediction; it raises ProblemError if the device failed.
        """
        small = _SmallImage(segmenter, image, confidence, cancelled)
        with self._lock:
            # Cancelled images would be skipped at their turn anyway; dropping them now frees their pixels.
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
        """Predict an image band by band; each band waits for its turn.

        Raises:
            TilingError: the image cannot be cut in the requested way.
            Cancelled: the client had disconnected when a band's turn came.
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
        """Cancel the work that has not started."""
        with self._lock:
            self._is_open = False
            self._start()
            for threads in (self._all_cores, self._one_core, self._slow):
                if threads is not None:
                    threads.shutdown(wait=False, cancel_futures=True)

    @contextmanager
    def _slow_thread(self) -> Iterator[ThreadPoolExecutor]:
        """The thread of large images. It lives only while there are any, because of OpenMP and cuDNN: see ``all_cores``
        and ``keep_threads``.
        """
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
        """Start waiting images on free cores."""
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
        """The small image that has waited longest, plus similar ones on a GPU; cancelled ones are left out."""
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
        """Results of one forward pass, or of two half batches if the device is out of memory."""
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
        """Run ``compute``. Device failures are counted and become problems; the image's errors are raised unchanged."""
        try:
            result = compute()
        except (Cancelled, SegmentationError):
            raise
        except Exception as error:
            problem = self._problem(error)
        else:
            self.health.succeeded()
            return result
        # Outside the handler nothing refers to the failed pass any more, so that its memory can be freed.
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
    """The largest power of two within both limits, at least 1: cuDNN makes and keeps a plan for every batch size."""
    return 1 << (max(1, min(waiting, most, _MAX_BATCH_IMAGES)).bit_length() - 1)


def _drop_tracebacks(error: BaseException | None) -> None:
    """Drop the tracebacks of an error and of its causes: their frames hold the failed pass's activations."""
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__
