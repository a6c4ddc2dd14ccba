"""Reloads the weights file while the service handles requests."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from app.heap import trim_heap
from app.pipeline.scheduler import Scheduler
from app.pipeline.step import finished
from app.threads import single_core_thread_pool
from model.segmenter import Segmenter


class Reloader:
    """Loads one segmenter at a time.

    Args:
        load: loads a segmenter from the current weights file; raises SegmentationError.
        scheduler: predicts the golden image.
        keep_thread: whether to keep the loading thread: cuDNN does not free a thread's plans when the thread ends.
    """

    def __init__(self, load: Callable[[], Segmenter], scheduler: Scheduler, *, keep_thread: bool) -> None:
        self._load = load
        self._scheduler = scheduler
        self._keep_thread = keep_thread
        self._lock = asyncio.Lock()
        self._thread: ThreadPoolExecutor | None = None

    async def load(self) -> Segmenter:
        """Load a segmenter and warm it up.

        Raises:
            SegmentationError: the file cannot be used.
        """
        async with self._lock:
            # One core, to avoid a second OpenMP thread team.
            thread = self._thread or single_core_thread_pool("reload", 1)
            try:
                segmenter = await finished(thread.submit(self._load))
                golden = segmenter.checkpoint.golden
                assert golden is not None
                await finished(self._scheduler.segment(segmenter, golden.image, threading.Event()))
                await finished(thread.submit(trim_heap))
            finally:
                if self._keep_thread:
                    self._thread = thread
                else:
                    thread.shutdown(wait=False)
            return segmenter

    def close(self) -> None:
        """End the loading thread."""
        if self._thread is not None:
            self._thread.shutdown(wait=False)
