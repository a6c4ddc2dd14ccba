"""Admits requests, runs their jobs in bounded threads, and ends in order."""

import asyncio
import math
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import Any

from app.errors import DEADLINE, DRAINING, QUEUE_FULL, ProblemError
from app.jobs import Answer, Job
from app.metrics import Metrics
from app.scheduler import Scheduler
from app.settings import Settings
from app.threads import start_threads
from model.segmenter import Segmenter


class Place:
    """A request's right to be worked on; given back when its work has ended, not when its client has gone."""

    def __init__(self) -> None:
        self.work: Future[Any] | None = None


class Service:
    """One segmenter and the requests that want it. All methods run in the event loop's thread.

    Args:
        settings: limits.
        segmenter: predicts.
        metrics: counts.
    """

    def __init__(self, settings: Settings, segmenter: Segmenter, metrics: Metrics) -> None:
        self.segmenter = segmenter
        self.draining = False
        self._settings = settings
        self._metrics = metrics
        self._scheduler = Scheduler(segmenter, settings.batch_pixels)
        self._threads = start_threads("photograph", settings.concurrency)
        self._slow_threads = start_threads("large", settings.concurrency, make_way=True)
        self._unfinished = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._mean_job_s = 0.1

    @contextmanager
    def admit(self) -> Iterator[Place]:
        """A place for a request, from its head to the end of its work.

        Raises:
            ProblemError: the service is draining, or the queue is full.
        """
        if self.draining:
            raise ProblemError(DRAINING, "the service is shutting down", {"Retry-After": "1", "Connection": "close"})
        places = self._settings.concurrency + self._settings.queue_length
        if self._unfinished >= places:
            wait_s = max(1, math.ceil(self._mean_job_s * self._unfinished))
            detail = f"{self._unfinished} requests are in work or waiting, and {places} may; try again in {wait_s} s"
            raise ProblemError(QUEUE_FULL, detail, {"Retry-After": str(wait_s)})
        self._change_unfinished(1)
        place = Place()
        try:
            yield place
        finally:
            self._give_back(place)

    async def run(self, job: Job, place: Place, gone: "asyncio.Task[None]") -> Answer | None:
        """Do a job; None if its client went first.

        Args:
            job: to do.
            place: the request's.
            gone: ends when the client goes.

        Raises:
            ProblemError, TilingError: the image cannot be segmented, or the deadline has passed.
        """
        answer = asyncio.create_task(self._work(job, place))
        waited_for: set[asyncio.Task[Answer] | asyncio.Task[None]] = {answer, gone}
        try:
            await asyncio.wait(waited_for, timeout=self._settings.deadline_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # Also when this request itself is cancelled, which ends the service's last grace.
            if not answer.done():
                job.abandon()
                answer.cancel()
        if answer.done():
            result = answer.result()
            self._count(result)
            return result
        if gone.done():
            self._metrics.abandoned.inc()
            return None
        raise ProblemError(DEADLINE, f"the answer was not ready within {self._settings.deadline_s:g} s")

    async def drain(self) -> None:
        """Take nothing new; wait until everything accepted is finished, at most ``drain_timeout_s``."""
        self.draining = True
        try:
            async with asyncio.timeout(self._settings.drain_timeout_s):
                await self._idle.wait()
        except TimeoutError:
            pass

    def close(self) -> None:
        """Give up what has not started; threads end with the stage or tile they are in."""
        for threads in (self._threads, self._slow_threads):
            threads.shutdown(wait=False, cancel_futures=True)
        self._scheduler.close()

    async def _work(self, job: Job, place: Place) -> Answer:
        """Large images have threads of their own: photographs never wait for their decoding or encoding."""
        opening = self._threads.submit(job.open, self._scheduler)
        place.work = opening
        threads = self._threads if await asyncio.wrap_future(opening) else self._slow_threads
        working = threads.submit(job.run, self._scheduler)
        place.work = working
        return await asyncio.wrap_future(working)

    def _count(self, answer: Answer) -> None:
        self._metrics.observe_stages(answer.stages)
        self._metrics.pixels.inc(answer.pixels)
        work_s = sum(answer.stages.values()) - answer.stages["queue"]
        self._mean_job_s += 0.1 * (work_s - self._mean_job_s)

    def _give_back(self, place: Place) -> None:
        if place.work is None or place.work.done():
            self._change_unfinished(-1)
            return
        # A thread cannot be stopped: while it works, it takes part of the machine, and so of the queue.
        loop = asyncio.get_running_loop()

        def give_back(_: Future[Any]) -> None:
            with suppress(RuntimeError):  # the loop has ended, and with it the count
                loop.call_soon_threadsafe(self._change_unfinished, -1)

        place.work.add_done_callback(give_back)

    def _change_unfinished(self, by: int) -> None:
        self._unfinished += by
        self._metrics.unfinished.set(self._unfinished)
        if self._unfinished:
            self._idle.clear()
        else:
            self._idle.set()
