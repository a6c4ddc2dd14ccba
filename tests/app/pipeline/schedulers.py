"""Schedulers, and requests to them."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from app.observability.metrics import Metrics
from app.pipeline.scheduler import Scheduler
from app.threads import thread_pool
from benchmarks.waiting import wait_until
from model.segmentation import Band, Segmentation
from model.segmenter import Segmenter
from model.tiling import Tiling
from tests.app.pipeline.held_segmenter import HeldSegmenter
from tests.model.noise import noise

SMALL, LARGE = (64, 96), (300, 96)
"""Heights and widths of an image that is predicted at once, and of one that is predicted in bands."""


_schedulers: list[Scheduler] = []
_loop: asyncio.AbstractEventLoop


@contextmanager
def running_schedulers() -> Iterator[None]:
    """Run the event loop of a test's schedulers in a thread of its own, and end both with the test."""
    global _loop
    with asyncio.Runner() as runner:
        _loop, ended = runner.get_loop(), asyncio.Event()
        thread = threading.Thread(target=runner.run, args=(ended.wait(),))
        thread.start()
        yield
        while _schedulers:
            _schedulers.pop().close()
        _loop.call_soon_threadsafe(ended.set)
        thread.join()


def make_scheduler(batch_pixels: int = 0, cores: int = 1, *, keep_threads: bool = False) -> Scheduler:
    all_cores = thread_pool("all-cores", 1)
    _schedulers.append(Scheduler(all_cores, Metrics(), batch_pixels, cores, keep_threads=keep_threads))
    return _schedulers[-1]


def bands_of(
    scheduler: Scheduler, segmenter: Segmenter, image: NDArray[np.uint8], cancelled: threading.Event | None = None
) -> Iterator[Band]:
    """Bands as threads get them from the scheduler's event loop."""
    return asked_for(scheduler.bands(segmenter, image, Tiling.AUTO, cancelled or threading.Event()))


def asked_for(bands: AsyncGenerator[Band, None]) -> Iterator[Band]:
    async def next_band() -> Band | None:
        return await anext(bands, None)

    while (band := asyncio.run_coroutine_threadsafe(next_band(), _loop).result(30)) is not None:
        yield band


class Queue:
    """Requests that wait behind one in progress."""

    def __init__(self, segmenter: HeldSegmenter, batch_pixels: int = 0, cores: int = 1) -> None:
        self.scheduler = make_scheduler(batch_pixels, cores)
        self.segmenter = segmenter
        self.first = self.ask(noise(*SMALL))
        wait_until(lambda: len(segmenter.batches) == 1)

    def ask(
        self,
        image: NDArray[np.uint8],
        cancelled: threading.Event | None = None,
        segmenter: Segmenter | None = None,
    ) -> "Future[Segmentation]":
        return self.scheduler.segment(segmenter or self.segmenter, image, cancelled or threading.Event())
