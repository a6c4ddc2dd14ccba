"""Admits requests, runs their jobs in bounded threads, and ends in order."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, TypeVar

import torch

from app.heap import give_back_free_memory
from app.images.pool import Decoders
from app.observability.metrics import Metrics
from app.pipeline.cost import Size
from app.pipeline.delivery import Delivery
from app.pipeline.jobs import Answer, Deliver, Job
from app.pipeline.memory import Memory, MemoryFullError, Reservation
from app.pipeline.memory_bound import MemoryBound
from app.pipeline.pace import Pace
from app.pipeline.request_queue import Lane, refusal
from app.pipeline.scheduler import Scheduler
from app.problems import DEADLINE, DRAINING, ProblemError
from app.settings import Settings
from app.threads import start_threads, start_threads_of_one_core
from model.segmenter import Segmenter

_logger = logging.getLogger("app")

_Result = TypeVar("_Result")

_LARGE_AT_ONCE = 8
"""That have a thread; how many of them are decoded, the memory decides."""

_HEADERS_AT_ONCE = 2

FILE_PIXEL_BYTES = 0.5
"""Of a photograph's pixel in a file, at most; most have less, and large images have more in all."""

_CUDA_BATCH_PIXELS = 1 << 23
"""Pixels of a batch on a GPU, unless set: some forty photographs."""


class BrokenOff(Exception):  # noqa: N818 (what there was to say to the client has been said)
    """An answer ends before its end: its first parts were sent when something stood in the way of the others."""


class Place:
    """A request's right to be worked on, and the memory it holds. The right is given back when its work has ended,
    neither before, when its client has gone, nor after, when its client still reads; the memory when both are over.

    Attributes:
        body: memory of the request's body, and of a photograph's answer.
        pixel_bytes: of a photograph's pixel in the body, at most.
        image: memory of the image and all that is made of it.
        job: the request's.
        answer: waits for the job.
        step: the step of the job that is in a thread, or waits for one.
        result: what came of it.
    """

    def __init__(self, body: Reservation, pixel_bytes: float) -> None:
        self.body = body
        self.pixel_bytes = pixel_bytes
        self.image: Reservation | None = None
        self.job: Job | None = None
        self.answer: asyncio.Task[Answer] | None = None
        self.step: Future[Any] | None = None
        self.result: Answer | None = None
        self.is_taken = True
        self.is_left = False

    def free(self) -> None:
        """Give the memory back, if nobody works on the request nor reads its answer any more."""
        if self.is_left and not self.is_taken:
            self.body.close()
            if self.image is not None:
                self.image.close()
            # An exception knows the frames that it went through, and they the request: only what is forgotten here is
            # free at once, with the image.
            self.job = self.answer = self.step = self.image = None


class Service:
    """One segmenter and the requests that want it. All methods run in the event loop's thread.

    Args:
        settings: limits.
        segmenter: predicts.
        all_cores: the thread that has loaded it.
        metrics: counts.
        load: a segmenter of the weights file as it is now; raises SegmentationError.
        seconds_per_pixel: that the segmenter takes.
    """

    def __init__(
        self,
        settings: Settings,
        segmenter: Segmenter,
        all_cores: ThreadPoolExecutor,
        metrics: Metrics,
        load: Callable[[], Segmenter],
        seconds_per_pixel: float,
    ) -> None:
        self.segmenter = segmenter
        self.draining = False
        self._settings = settings
        self._metrics = metrics
        self._load = load
        self._reloading = asyncio.Lock()
        self._loader: ThreadPoolExecutor | None = None
        self._is_cuda = is_cuda = segmenter.device.type == "cuda"
        batch_pixels = settings.batch_pixels or (_CUDA_BATCH_PIXELS if is_cuda else 0)
        self._scheduler = Scheduler(all_cores, metrics, batch_pixels, torch.get_num_threads(), keep_threads=is_cuda)
        self._header_threads = start_threads("header", _HEADERS_AT_ONCE)
        self._header_decoders = Decoders(_HEADERS_AT_ONCE, settings.max_pixels, on_failure=metrics.decoder_failed)
        self._threads = {
            Size.PHOTOGRAPH: start_threads("photograph", settings.concurrency),
            Size.LARGE: start_threads("large", _LARGE_AT_ONCE, make_way=True),
        }
        self._decoders = {
            Size.PHOTOGRAPH: Decoders(settings.concurrency, settings.max_pixels, on_failure=metrics.decoder_failed),
            Size.LARGE: Decoders(1, settings.max_pixels, make_way=True, on_failure=metrics.decoder_failed),
        }
        decoders = _HEADERS_AT_ONCE + settings.concurrency + 1
        self.bound = MemoryBound.of(
            settings, decoders, _HEADERS_AT_ONCE, batch_pixels, torch.get_num_threads(), is_cuda=is_cuda
        )
        self._bodies = Memory(self.bound.body_bytes)
        places = settings.concurrency + settings.queue_length
        self._lanes = {
            Size.PHOTOGRAPH: Lane(
                places,
                Memory(self.bound.photograph_bytes),
                Pace(seconds_per_pixel),
                settings.deadline_s,
            ),
            Size.LARGE: Lane(
                min(_LARGE_AT_ONCE, max(1, places // 4)),
                Memory(self.bound.large_bytes),
                Pace(seconds_per_pixel),
                settings.deadline_s,
            ),
        }
        self._unfinished = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._tell_loaded()
        self._tell()

    @property
    def failure(self) -> str | None:
        """Why the process should be ended; None while it works."""
        return self._scheduler.health.failure

    def start_decoders(self) -> None:
        """Start the processes that the first photographs would wait for.

        Raises:
            ProblemError: they cannot be started.
        """
        self._header_decoders.start()
        self._decoders[Size.PHOTOGRAPH].start()

    @contextmanager
    def admit(self, announced_bytes: int = 0, pixel_bytes: float = FILE_PIXEL_BYTES) -> Iterator[Place]:
        """A place for a request, from its head to the end of its answer; leaving it abandons what is not finished.

        Args:
            announced_bytes: of its body; 0 if it does not tell.
            pixel_bytes: of a photograph's pixel in its body, at most.

        Raises:
            ProblemError: the service is draining, or the queue is full.
        """
        if self.draining:
            raise ProblemError(DRAINING, "the service is shutting down", {"Retry-After": "1", "Connection": "close"})
        self._likely_lane(announced_bytes, pixel_bytes).require_room()
        place = Place(self._bodies.empty_reservation(), pixel_bytes)
        self._unfinished += 1
        self._idle.clear()
        self._tell()
        try:
            yield place
        finally:
            self._leave(place)
            place.is_left = True
            place.free()
            self._tell()

    def hold(self, place: Place, more_bytes: int) -> None:
        """Take memory for a part of a request's body, which has arrived.

        Raises:
            ProblemError: there is none.
        """
        try:
            place.body.grow(more_bytes)
        except MemoryFullError as error:
            detail = f"the bodies that are held have {self._bodies.limit_bytes} bytes, and no more are allowed"
            raise refusal(detail, self._lanes[Size.PHOTOGRAPH].wait_s) from error
        self._metrics.body_bytes.set(self._bodies.reserved_bytes)

    async def run(self, job: Job, place: Place, gone: "asyncio.Task[None]") -> Answer | AsyncIterator[bytes] | None:
        """Do a job.

        Args:
            job: to do.
            place: the request's.
            gone: ends when the client goes.

        Returns:
            The answer; or, if it is delivered while it is being made, its parts; or None if the client went first.

        Raises:
            ProblemError, TilingError: the image cannot be segmented, or not in time.
        """
        lane = self._likely_lane(place.body.size_bytes, place.pixel_bytes)
        lane.require_room()
        expected = ExitStack()
        expected.enter_context(lane.expecting())  # at once: a task begins later, and others come before
        delivery = Delivery()
        place.job = job
        place.answer = answer = asyncio.create_task(self._work(job, place, expected, delivery))
        answer.add_done_callback(lambda _: expected.close())
        answer.add_done_callback(lambda _: self._leave(place))
        try:
            await self._wait_for_any(answer, gone, delivery)
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
        finally:
            del answer  # or an exception would know this frame, and it the exception, until they are collected

    async def _wait_for_any(self, answer: "asyncio.Task[Answer]", gone: "asyncio.Task[None]", parts: Delivery) -> None:
        started = asyncio.create_task(parts.started.wait())
        waited_for: set[asyncio.Task[Any]] = {answer, gone, started}
        try:
            await asyncio.wait(waited_for, timeout=self._settings.deadline_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            started.cancel()

    async def reload(self) -> str:
        """Serve the weights file as it is now. Requests that are in work, or wait, are answered with the old weights.

        Returns:
            The SHA-256 of the file.

        Raises:
            SegmentationError: it cannot be used; the old weights serve on.
        """
        async with self._reloading:
            # One core, so that there is no second team of OpenMP's threads.
            loader = self._loader or start_threads_of_one_core("reload", 1)
            try:
                segmenter = await asyncio.wrap_future(loader.submit(self._load))
                await self._warm(segmenter)
                await asyncio.wrap_future(loader.submit(give_back_free_memory))
            except Exception:
                self._metrics.reloads.labels("failure").inc()
                raise
            finally:
                if self._is_cuda:  # cuDNN does not free a thread's plans with the thread
                    self._loader = loader
                else:
                    loader.shutdown(wait=False)
            self.segmenter = segmenter
            self._metrics.reloads.labels("success").inc()
            self._tell_loaded()
            return segmenter.checkpoint.digest

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
        for threads in (self._header_threads, *self._threads.values()):
            threads.shutdown(wait=False, cancel_futures=True)
        if self._loader is not None:
            self._loader.shutdown(wait=False)
        self._scheduler.close()
        for decoders in (self._header_decoders, *self._decoders.values()):
            decoders.close()

    async def _work(self, job: Job, place: Place, expected: ExitStack, delivery: Delivery) -> Answer:
        with expected:
            self._tell()
            price = await self._take(place, self._header_threads.submit(job.open, self._header_decoders))
        lane = self._lanes[price.size]
        with lane.enter(price, lambda: job.progress) as ticket:
            self._tell()
            place.image = memory = await lane.memory.reserve(price.peak_bytes)
            self._tell()
            if price.size is Size.PHOTOGRAPH:
                answer = await self._segment_photograph(job, place)
                place.body.resize(len(answer.body))
                memory.close()
            else:
                answer = await self._segment_large(job, place, delivery)
                memory.resize(len(answer.body) or price.answer_bytes)
            ticket.is_done = True
        return answer

    async def _segment_photograph(self, job: Job, place: Place) -> Answer:
        threads = self._threads[Size.PHOTOGRAPH]
        image = await self._take(place, threads.submit(job.decode, self._decoders[Size.PHOTOGRAPH]))
        segmentation = await self._take(place, job.predict(image, self._scheduler))
        return await self._take(place, threads.submit(job.encode, image, segmentation))

    async def _segment_large(self, job: Job, place: Place, delivery: Delivery) -> Answer:
        """In threads of its own: photographs never wait for a large image's decoding or encoding."""
        decoders, threads = self._decoders[Size.LARGE], self._threads[Size.LARGE]
        return await self._take(place, threads.submit(_run, job, decoders, self._scheduler, delivery.put))

    async def _warm(self, segmenter: Segmenter) -> None:
        golden = segmenter.checkpoint.golden
        assert golden is not None
        await asyncio.wrap_future(self._scheduler.segment(segmenter, golden.image, threading.Event()))

    async def _parts(
        self, answer: "asyncio.Task[Answer]", place: Place, delivery: Delivery, gone: "asyncio.Task[None]"
    ) -> AsyncIterator[bytes]:
        """The deadline is for each part: how long all of them take is for the client to say, by the image's size."""
        for ending in (answer, gone):
            ending.add_done_callback(lambda _: delivery.end())
        while (part := await self._next_part(delivery)) is not None:
            yield part
        if not answer.done():
            self._metrics.abandoned.inc()
            return
        try:
            self._count(answer.result(), place)
        except ProblemError as error:
            self._metrics.broken_off.inc()
            raise BrokenOff(error.detail) from error

    async def _next_part(self, delivery: Delivery) -> bytes | None:
        try:
            async with asyncio.timeout(self._settings.deadline_s):
                return await delivery.next()
        except TimeoutError as error:
            self._metrics.broken_off.inc()
            raise BrokenOff(f"its next part was not ready within {self._settings.deadline_s:g} s") from error

    async def _take(self, place: Place, step: "Future[_Result]") -> _Result:
        place.step = step
        try:
            return await asyncio.wrap_future(step)
        finally:
            del step  # as in ``run``

    def _likely_lane(self, size_bytes: int, pixel_bytes: float) -> Lane:
        """Where a body of this size will wait; its image's header, read later, tells for sure."""
        is_likely_large = size_bytes > self._settings.photograph_pixels * pixel_bytes
        return self._lanes[Size.LARGE if is_likely_large else Size.PHOTOGRAPH]

    def _count(self, answer: Answer, place: Place) -> None:
        place.result = answer
        self._metrics.observe_stages(answer.stages)
        self._metrics.pixels.inc(answer.pixels)
        self._metrics.megapixels.observe(answer.pixels / 1e6)

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
        # A thread cannot be stopped: while it works, it takes part of the machine, and holds the image.
        loop = asyncio.get_running_loop()

        def give_back(_: Future[Any]) -> None:
            with suppress(RuntimeError):  # the loop has ended, and with it the count
                loop.call_soon_threadsafe(self._give_back, place)

        place.step.add_done_callback(give_back)

    def _give_back(self, place: Place) -> None:
        if not place.is_taken:
            return
        place.is_taken = False
        self._unfinished -= 1
        if place.job is not None:
            place.job.close()
        place.free()
        if not self._unfinished:
            self._idle.set()
        self._tell()

    def _tell_loaded(self) -> None:
        checkpoint = self.segmenter.checkpoint
        precision, device = self.segmenter.precision, self.segmenter.device
        self._metrics.loaded(sha256=checkpoint.digest, precision=precision, device=device)
        _logger.info("precision: %s (%s)", precision, self.segmenter.precision_reason)

    def _tell(self) -> None:
        """What the metrics show of the queue."""
        metrics = self._metrics
        metrics.unfinished.set(self._unfinished)
        metrics.body_bytes.set(self._bodies.reserved_bytes)
        for size, lane in self._lanes.items():
            metrics.waiting.labels(size.value).set(lane.requests)
            metrics.waiting_seconds.labels(size.value).set(lane.wait_s)
            metrics.memory_reserved.labels(size.value).set(lane.memory.reserved_bytes)
            metrics.memory_limit.labels(size.value).set(lane.memory.limit_bytes)


def _run(job: Job, decoders: Decoders, scheduler: Scheduler, deliver: Deliver) -> Answer:
    try:
        return job.run(decoders, scheduler, deliver)
    finally:
        give_back_free_memory()
