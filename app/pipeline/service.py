"""Admits requests, runs their jobs in bounded threads, and ends in order."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, TypeVar

import torch

from app.heap import trim_heap
from app.images.pool import Decoders
from app.observability.metrics import Metrics
from app.pipeline.chunk_queue import ChunkQueue
from app.pipeline.cost import Size
from app.pipeline.jobs import EncodedResponse, Job, SendChunk
from app.pipeline.memory import MemoryBudget, MemoryFullError, Reservation
from app.pipeline.memory_bound import MemoryBound
from app.pipeline.request_queue import RequestQueue, refusal
from app.pipeline.scheduler import Scheduler
from app.pipeline.throughput import ThroughputEstimate
from app.problems import DEADLINE, DRAINING, ProblemError
from app.settings import Settings
from app.threads import single_core_thread_pool, thread_pool
from model.segmenter import Segmenter

_logger = logging.getLogger("app")

_Result = TypeVar("_Result")

_LARGE_AT_ONCE = 8
"""Worker threads for large images; memory limits how many decode at once."""

_HEADERS_AT_ONCE = 2

FILE_PIXEL_BYTES = 0.5
"""Upper bound on file bytes per pixel, to guess the size class from Content-Length."""

_CUDA_BATCH_PIXELS = 1 << 23
"""Default pixels of a batch on a GPU: some forty small images."""


class ResponseAborted(Exception):  # noqa: N818 (no error to report: the client has its status already)
    """A response ends early: its first chunks were sent when computing the others failed."""


class Admission:
    """An admitted request and the memory it holds. Its slot is free when its work has ended, neither before, when its
    client has disconnected, nor after, while its client still reads; its memory when both are over.

    Attributes:
        body: memory of the request's body, and of a small image's response.
        pixel_bytes: upper bound of the body's bytes per pixel of a small image.
        image: memory of the image and all that is made of it.
        job: the request's work.
        response: the task that runs the job.
        step: the step of the job that is in a thread, or waits for one.
        result: the encoded response, once it is complete.
    """

    def __init__(self, body: Reservation, pixel_bytes: float) -> None:
        self.body = body
        self.pixel_bytes = pixel_bytes
        self.image: Reservation | None = None
        self.job: Job | None = None
        self.response: asyncio.Task[EncodedResponse] | None = None
        self.step: Future[Any] | None = None
        self.result: EncodedResponse | None = None
        self.is_taken = True
        self.is_left = False

    def free(self) -> None:
        """Give the memory back, if nobody works on the request nor reads its response any more."""
        if self.is_left and not self.is_taken:
            self.body.close()
            if self.image is not None:
                self.image.close()
            # An exception knows the frames that it went through, and they the request: only what is forgotten here is
            # free at once, with the image.
            self.job = self.response = self.step = self.image = None


class Service:
    """One segmenter and the requests that want it. All methods run in the event loop's thread.

    Args:
        settings: settings of the service.
        segmenter: the segmenter that serves until a reload.
        all_cores: the thread that has loaded it.
        metrics: metrics of this process.
        load: makes a segmenter of the weights file as it is now; raises SegmentationError.
        seconds_per_pixel: seconds that the segmenter takes for a pixel, as measured at the start.
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
        self._header_threads = thread_pool("header", _HEADERS_AT_ONCE)
        self._header_decoders = Decoders(_HEADERS_AT_ONCE, settings.max_pixels, on_failure=metrics.decoder_failed)
        self._threads = {
            Size.SMALL: thread_pool("small", settings.concurrency),
            Size.LARGE: thread_pool("large", _LARGE_AT_ONCE, low_priority=True),
        }
        self._decoders = {
            Size.SMALL: Decoders(settings.concurrency, settings.max_pixels, on_failure=metrics.decoder_failed),
            Size.LARGE: Decoders(1, settings.max_pixels, low_priority=True, on_failure=metrics.decoder_failed),
        }
        decoders = _HEADERS_AT_ONCE + settings.concurrency + 1
        self.bound = MemoryBound.of(
            settings, decoders, _HEADERS_AT_ONCE, batch_pixels, torch.get_num_threads(), is_cuda=is_cuda
        )
        self._bodies = MemoryBudget(self.bound.body_bytes)
        places = settings.concurrency + settings.queue_length
        self._queues = {
            Size.SMALL: RequestQueue(
                places,
                MemoryBudget(self.bound.small_bytes),
                ThroughputEstimate(seconds_per_pixel),
                settings.deadline_s,
            ),
            Size.LARGE: RequestQueue(
                min(_LARGE_AT_ONCE, max(1, places // 4)),
                MemoryBudget(self.bound.large_bytes),
                ThroughputEstimate(seconds_per_pixel),
                settings.deadline_s,
            ),
        }
        self._unfinished = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._record_loaded_weights()
        self._update_metrics()

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
        self._decoders[Size.SMALL].start()

    @contextmanager
    def admit(self, announced_bytes: int = 0, pixel_bytes: float = FILE_PIXEL_BYTES) -> Iterator[Admission]:
        """Admit a request, from its header to the end of its response; leaving cancels what is not finished.

        Args:
            announced_bytes: Content-Length; 0 without one.
            pixel_bytes: upper bound of the body's bytes per pixel of a small image.

        Raises:
            ProblemError: the service is draining, or the queue is full.
        """
        if self.draining:
            raise ProblemError(DRAINING, "the service is shutting down", {"Retry-After": "1", "Connection": "close"})
        self._likely_queue(announced_bytes, pixel_bytes).require_room()
        admission = Admission(self._bodies.empty_reservation(), pixel_bytes)
        self._unfinished += 1
        self._idle.clear()
        self._update_metrics()
        try:
            yield admission
        finally:
            self._release(admission)
            admission.is_left = True
            admission.free()
            self._update_metrics()

    def reserve(self, admission: Admission, more_bytes: int) -> None:
        """Reserve memory for a part of a request's body, which has arrived.

        Raises:
            ProblemError: there is none.
        """
        try:
            admission.body.grow(more_bytes)
        except MemoryFullError as error:
            detail = f"the bodies that are held have {self._bodies.limit_bytes} bytes, and no more are allowed"
            raise refusal(detail, self._queues[Size.SMALL].wait_s) from error
        self._metrics.body_bytes.set(self._bodies.reserved_bytes)

    async def run(
        self, job: Job, admission: Admission, gone: "asyncio.Task[None]"
    ) -> EncodedResponse | AsyncIterator[bytes] | None:
        """Run a job.

        Args:
            job: the work.
            admission: the request's admission.
            gone: ends when the client has disconnected.

        Returns:
            The response; or, if it is sent while it is being made, its chunks; or None if the client went first.

        Raises:
            ProblemError, TilingError: the image cannot be segmented, or not in time.
        """
        queue = self._likely_queue(admission.body.size_bytes, admission.pixel_bytes)
        queue.require_room()
        expected = ExitStack()
        expected.enter_context(queue.expecting())  # at once: a task begins later, and others come before
        chunks = ChunkQueue()
        admission.job = job
        admission.response = response = asyncio.create_task(self._work(job, admission, expected, chunks))
        response.add_done_callback(lambda _: expected.close())
        response.add_done_callback(lambda _: self._release(admission))
        try:
            await self._wait_for_any(response, gone, chunks)
            if response.done():
                result = response.result()
                if not chunks.started.is_set():
                    self._count(result, admission)
                    return result
            if gone.done():
                self._metrics.client_disconnects.inc()
                return None
            if chunks.started.is_set():
                return self._chunks(response, admission, chunks, gone)
            raise ProblemError(DEADLINE, f"the response was not ready within {self._settings.deadline_s:g} s")
        finally:
            del response  # or an exception would know this frame, and it the exception, until they are collected

    async def _wait_for_any(
        self, response: "asyncio.Task[EncodedResponse]", gone: "asyncio.Task[None]", chunks: ChunkQueue
    ) -> None:
        started = asyncio.create_task(chunks.started.wait())
        waited_for: set[asyncio.Task[Any]] = {response, gone, started}
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
            loader = self._loader or single_core_thread_pool("reload", 1)
            try:
                segmenter = await asyncio.wrap_future(loader.submit(self._load))
                await self._warm(segmenter)
                await asyncio.wrap_future(loader.submit(trim_heap))
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
            self._record_loaded_weights()
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

    async def _work(self, job: Job, admission: Admission, expected: ExitStack, chunks: ChunkQueue) -> EncodedResponse:
        with expected:
            self._update_metrics()
            cost = await self._run_step(admission, self._header_threads.submit(job.open, self._header_decoders))
        queue = self._queues[cost.size]
        with queue.enter(cost, lambda: job.progress) as entry:
            self._update_metrics()
            admission.image = memory = await queue.memory.reserve(cost.peak_bytes)
            self._update_metrics()
            if cost.size is Size.SMALL:
                response = await self._segment_small(job, admission)
                admission.body.resize(len(response.body))
                memory.close()
            else:
                response = await self._segment_large(job, admission, chunks)
                memory.resize(len(response.body) or cost.response_bytes)
            entry.is_done = True
        return response

    async def _segment_small(self, job: Job, admission: Admission) -> EncodedResponse:
        threads = self._threads[Size.SMALL]
        image = await self._run_step(admission, threads.submit(job.decode, self._decoders[Size.SMALL]))
        segmentation = await self._run_step(admission, job.predict(image, self._scheduler))
        return await self._run_step(admission, threads.submit(job.encode, image, segmentation))

    async def _segment_large(self, job: Job, admission: Admission, chunks: ChunkQueue) -> EncodedResponse:
        """In threads of its own: photographs never wait for a large image's decoding or encoding."""
        decoders, threads = self._decoders[Size.LARGE], self._threads[Size.LARGE]
        return await self._run_step(admission, threads.submit(_run, job, decoders, self._scheduler, chunks.put))

    async def _warm(self, segmenter: Segmenter) -> None:
        golden = segmenter.checkpoint.golden
        assert golden is not None
        await asyncio.wrap_future(self._scheduler.segment(segmenter, golden.image, threading.Event()))

    async def _chunks(
        self,
        response: "asyncio.Task[EncodedResponse]",
        admission: Admission,
        chunks: ChunkQueue,
        gone: "asyncio.Task[None]",
    ) -> AsyncIterator[bytes]:
        """The deadline is for each chunk: how long all of them take is for the client to say, by the image's size."""
        for ending in (response, gone):
            ending.add_done_callback(lambda _: chunks.end())
        while (chunk := await self._next_chunk(chunks)) is not None:
            yield chunk
        if not response.done():
            self._metrics.client_disconnects.inc()
            return
        try:
            self._count(response.result(), admission)
        except ProblemError as error:
            self._metrics.aborted_responses.inc()
            raise ResponseAborted(error.detail) from error

    async def _next_chunk(self, chunks: ChunkQueue) -> bytes | None:
        try:
            async with asyncio.timeout(self._settings.deadline_s):
                return await chunks.next()
        except TimeoutError as error:
            self._metrics.aborted_responses.inc()
            raise ResponseAborted(f"its next chunk was not ready within {self._settings.deadline_s:g} s") from error

    async def _run_step(self, admission: Admission, step: "Future[_Result]") -> _Result:
        admission.step = step
        try:
            return await asyncio.wrap_future(step)
        finally:
            del step  # as in ``run``

    def _likely_queue(self, size_bytes: int, pixel_bytes: float) -> RequestQueue:
        """Where a body of this size will wait; its image's header, read later, tells for sure."""
        is_likely_large = size_bytes > self._settings.small_image_pixels * pixel_bytes
        return self._queues[Size.LARGE if is_likely_large else Size.SMALL]

    def _count(self, response: EncodedResponse, admission: Admission) -> None:
        admission.result = response
        self._metrics.observe_stages(response.stages)
        self._metrics.pixels.inc(response.pixels)
        self._metrics.megapixels.observe(response.pixels / 1e6)

    def _release(self, admission: Admission) -> None:
        """Free the slot as soon as no thread works on the request; cancel what has not started."""
        if admission.job is not None and admission.response is not None:
            admission.job.cancelled.set()
            admission.response.cancel()
            # Nobody may be left to hear of a failure, and asyncio would complain of that.
            _ = admission.response.cancelled() or (admission.response.done() and admission.response.exception())
        if admission.step is None or admission.step.done():
            self._finish(admission)
            return
        # A thread cannot be stopped: while it works, it takes part of the machine, and holds the image.
        loop = asyncio.get_running_loop()

        def give_back(_: Future[Any]) -> None:
            with suppress(RuntimeError):  # the loop has ended, and with it the count
                loop.call_soon_threadsafe(self._finish, admission)

        admission.step.add_done_callback(give_back)

    def _finish(self, admission: Admission) -> None:
        if not admission.is_taken:
            return
        admission.is_taken = False
        self._unfinished -= 1
        if admission.job is not None:
            admission.job.close()
        admission.free()
        if not self._unfinished:
            self._idle.set()
        self._update_metrics()

    def _record_loaded_weights(self) -> None:
        checkpoint = self.segmenter.checkpoint
        precision, device = self.segmenter.precision, self.segmenter.device
        self._metrics.loaded(sha256=checkpoint.digest, precision=precision, device=device)
        _logger.info("precision: %s (%s)", precision, self.segmenter.precision_reason)

    def _update_metrics(self) -> None:
        """Set the gauges of the queues."""
        metrics = self._metrics
        metrics.unfinished.set(self._unfinished)
        metrics.body_bytes.set(self._bodies.reserved_bytes)
        for size, queue in self._queues.items():
            metrics.waiting.labels(size.value).set(queue.requests)
            metrics.waiting_seconds.labels(size.value).set(queue.wait_s)
            metrics.memory_reserved.labels(size.value).set(queue.memory.reserved_bytes)
            metrics.memory_limit.labels(size.value).set(queue.memory.limit_bytes)


def _run(job: Job, decoders: Decoders, scheduler: Scheduler, send_chunk: SendChunk) -> EncodedResponse:
    try:
        return job.run(decoders, scheduler, send_chunk)
    finally:
        trim_heap()
