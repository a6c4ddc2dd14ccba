"""Admits requests, runs their jobs in bounded threads, and ends in order."""

import asyncio
import math
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import torch

from app.delivery import Delivery
from app.jobs import Answer, Job, Size
from app.metrics import Metrics
from app.problems import DEADLINE, DRAINING, QUEUE_FULL, ProblemError
from app.scheduler import Scheduler
from app.settings import Settings
from app.threads import start_threads
from model.segmenter import Segmenter

_Result = TypeVar("_Result")

_LARGE_AT_ONCE = 8
_GIANTS_AT_ONCE = 2


class BrokenOff(Exception):  # noqa: N818 (what there was to say to the client has been said)
    """An answer ends before its end: its first parts were sent when something stood in the way of the others."""


class Place:
    """A request's right to be worked on; given back when its work has ended, neither before, when its client has gone,
    nor after, when its client still reads.

    Attributes:
        job: the request's.
        answer: waits for the job.
        step: the step of the job that is in a thread, or waits for one.
        result: what came of it.
    """

    def __init__(self) -> None:
        self.job: Job | None = None
        self.answer: asyncio.Task[Answer] | None = None
        self.step: Future[Any] | None = None
        self.result: Answer | None = None
        self.is_taken = True


class Service:
    """One segmenter and the requests that want it. All methods run in the event loop's thread.

    Args:
        settings: limits.
        segmenter: predicts.
        all_cores: the thread that has loaded it.
        metrics: counts.
    """

    def __init__(
        self, settings: Settings, segmenter: Segmenter, all_cores: ThreadPoolExecutor, metrics: Metrics
    ) -> None:
        self.segmenter = segmenter
        self.draining = False
        self._settings = settings
        self._metrics = metrics
        self._scheduler = Scheduler(segmenter, all_cores, settings.batch_pixels, torch.get_num_threads())
        self._threads = {
            Size.PHOTOGRAPH: start_threads("photograph", settings.concurrency),
            Size.LARGE: start_threads("large", _LARGE_AT_ONCE, make_way=True),
            Size.GIANT: start_threads("giant", _GIANTS_AT_ONCE, make_way=True),
        }
        self._unfinished = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._mean_job_s = 0.1

    @contextmanager
    def admit(self) -> Iterator[Place]:
        """A place for a request, from its head to the end of its work; leaving it abandons what is not finished.

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
            self._leave(place)

    async def run(self, job: Job, place: Place, gone: "asyncio.Task[None]") -> Answer | AsyncIterator[bytes] | None:
        """Do a job.

        Args:
            job: to do.
            place: the request's.
            gone: ends when the client goes.

        Returns:
            The answer; or, if it is delivered while it is being made, its parts; or None if the client went first.

        Raises:
            ProblemError, TilingError: the image cannot be segmented, or the deadline has passed.
        """
        delivery = Delivery()
        place.job = job
        place.answer = answer = asyncio.create_task(self._work(job, place, delivery))
        answer.add_done_callback(lambda _: self._leave(place))
        started = asyncio.create_task(delivery.started.wait())
        try:
            waited_for: set[asyncio.Task[Any]] = {answer, gone, started}
            await asyncio.wait(waited_for, timeout=self._settings.deadline_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            started.cancel()
        if answer.done():
            result = answer.result()
            if not delivery.started.is_set():
                self._count(result, place)
                return result
        if gone.done():
            self._metrics.abandoned.inc()
            return None
        if delivery.started.is_set():
            return self._parts(answer, place, delivery, gone)
        raise ProblemError(DEADLINE, f"the answer was not ready within {self._settings.deadline_s:g} s")

    async def _parts(
        self, answer: "asyncio.Task[Answer]", place: Place, delivery: Delivery, gone: "asyncio.Task[None]"
    ) -> AsyncIterator[bytes]:
        """The deadline is for each part: how long all of them take is for the client to say, by the image's size."""
        for ending in (answer, gone):
            ending.add_done_callback(lambda _: delivery.end())
        while (part := await self._next_part(delivery)) is not None:
            yield part
        if answer.done():
            self._count(answer.result(), place)
        else:
            self._metrics.abandoned.inc()

    async def _next_part(self, delivery: Delivery) -> bytes | None:
        try:
            async with asyncio.timeout(self._settings.deadline_s):
                return await delivery.next()
        except TimeoutError as error:
            self._metrics.broken_off.inc()
            raise BrokenOff(f"its next part was not ready within {self._settings.deadline_s:g} s") from error

    async def drain(self) -> None:
        """Take nothing new; wait until everything accepted is finished, at most ``drain_timeout_s``."""
        self.draining = True
        try:
            async with asyncio.timeout(self._settings.drain_timeout_s):
                await self._idle.wait()
        except TimeoutError:
            pass

    def close(self) -> None:
        """Give up what has not started; threads end with the step or band they are in."""
        for threads in self._threads.values():
            threads.shutdown(wait=False, cancel_futures=True)
        self._scheduler.close()

    async def _work(self, job: Job, place: Place, delivery: Delivery) -> Answer:
        """Images that take long have threads of their own: photographs never wait for their decoding or encoding."""
        size = await self._take(place, self._threads[Size.PHOTOGRAPH].submit(job.open, self._scheduler))
        threads = self._threads[size]
        if size is not Size.PHOTOGRAPH:
            return await self._take(place, threads.submit(job.run, self._scheduler, delivery.put))
        image = await self._take(place, threads.submit(job.decode))
        predicting = self._scheduler.segment(image, job.abandoned, confidence=job.wants_confidence)
        segmentation = await self._take(place, predicting)
        digest = self.segmenter.checkpoint.digest
        return await self._take(place, threads.submit(job.encode, image, segmentation, digest))

    async def _take(self, place: Place, step: "Future[_Result]") -> _Result:
        place.step = step
        return await asyncio.wrap_future(step)

    def _count(self, answer: Answer, place: Place) -> None:
        place.result = answer
        self._metrics.observe_stages(answer.stages)
        self._metrics.pixels.inc(answer.pixels)
        work_s = sum(answer.stages.values()) - answer.stages["queue"]
        self._mean_job_s += 0.1 * (work_s - self._mean_job_s)

    def _leave(self, place: Place) -> None:
        """Give a place back as soon as no thread works on it; what has not started is given up."""
        if place.job is not None and place.answer is not None:
            place.job.abandoned.set()
            place.answer.cancel()
            # Nobody may be left to hear of a failure, and asyncio would complain of that.
            _ = place.answer.cancelled() or (place.answer.done() and place.answer.exception())
        if place.step is None or place.step.done():
            self._give_back(place)
            return
        # A thread cannot be stopped: while it works, it takes part of the machine, and so of the queue.
        loop = asyncio.get_running_loop()

        def give_back(_: Future[Any]) -> None:
            with suppress(RuntimeError):  # the loop has ended, and with it the count
                loop.call_soon_threadsafe(self._give_back, place)

        place.step.add_done_callback(give_back)

    def _give_back(self, place: Place) -> None:
        if place.is_taken:
            place.is_taken = False
            self._change_unfinished(-1)

    def _change_unfinished(self, by: int) -> None:
        self._unfinished += by
        self._metrics.unfinished.set(self._unfinished)
        if self._unfinished:
            self._idle.clear()
        else:
            self._idle.set()
