"""Admits requests, segments their images while clients wait, and shuts down gracefully."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, aclosing, contextmanager
from functools import partial

import torch

from app.images.pool import Decoders
from app.observability.metrics import Metrics
from app.pipeline.admission import Admission
from app.pipeline.cost import Cost, Size
from app.pipeline.memory import MemoryBudget, MemoryFullError
from app.pipeline.memory_bound import MemoryBound
from app.pipeline.pipeline import Pipeline, Workers
from app.pipeline.reloader import Reloader
from app.pipeline.request import FILE_PIXEL_BYTES, EncodedResponse, SegmentRequest
from app.pipeline.request_queue import RequestQueue, refusal
from app.pipeline.scheduler import Scheduler
from app.pipeline.segmented import ResponseAborted, Segmented
from app.pipeline.throughput import ThroughputEstimate
from app.problems import DEADLINE, DRAINING, ProblemError
from app.settings import Settings
from app.threads import thread_pool
from model.segmenter import Segmenter

_logger = logging.getLogger("app")

_LARGE_AT_ONCE = 8
"""Worker threads for large images; memory limits how many decode at once."""

_HEADERS_AT_ONCE = 2

_CUDA_BATCH_PIXELS = 1 << 23
"""Default pixels per batch on a GPU: some forty small images."""


class Service:
    """One segmenter and its requests. All methods run in the event loop's thread.

    Args:
        settings: settings of the service.
        segmenter: the segmenter to use until a reload.
        all_cores: single-thread executor that loaded the segmenter.
        metrics: metrics of this process.
        load: loads a segmenter from the current weights file; raises SegmentationError.
        seconds_per_pixel: the segmenter's seconds per pixel, measured at the start.
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
        is_cuda = segmenter.device.type == "cuda"
        cores = torch.get_num_threads()
        batch_pixels = settings.batch_pixels or (_CUDA_BATCH_PIXELS if is_cuda else 0)
        scheduler = Scheduler(all_cores, metrics, batch_pixels, cores, keep_threads=is_cuda)
        self._reloader = Reloader(load, scheduler, keep_thread=is_cuda)
        headers = self._workers("header", _HEADERS_AT_ONCE, _HEADERS_AT_ONCE)
        small = self._workers("small", settings.concurrency, settings.concurrency)
        large = self._workers("large", _LARGE_AT_ONCE, 1, low_priority=True)
        self._pipeline = Pipeline(scheduler, headers, small, large, settings.max_pixels)
        decoders = _HEADERS_AT_ONCE + settings.concurrency + 1
        self.bound = MemoryBound.of(settings, decoders, _HEADERS_AT_ONCE, batch_pixels, cores, is_cuda=is_cuda)
        self._bodies = MemoryBudget(self.bound.body_bytes)
        slots = settings.concurrency + settings.queue_length
        large_slots = min(_LARGE_AT_ONCE, max(1, slots // 4))
        self._queues = {
            size: RequestQueue(
                count, MemoryBudget(memory_bytes), ThroughputEstimate(seconds_per_pixel), settings.deadline_s
            )
            for size, count, memory_bytes in (
                (Size.SMALL, slots, self.bound.small_bytes),
                (Size.LARGE, large_slots, self.bound.large_bytes),
            )
        }
        self._unfinished = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._record_loaded_weights()
        self._update_metrics()

    @property
    def failure(self) -> str | None:
        """Why the process should end; None while the device works."""
        return self._pipeline.scheduler.health.failure

    def start_decoders(self) -> None:
        """Start the decoder processes now, so that the first small images need not wait for them.

        Raises:
            ProblemError: they cannot be started.
        """
        self._pipeline.start_decoders()

    @contextmanager
    def admit(self, announced_bytes: int = 0, pixel_bytes: float = FILE_PIXEL_BYTES) -> Iterator[Admission]:
        """Admit a request, from its header to the end of its response; leaving the context cancels unfinished work.

        Args:
            announced_bytes: Content-Length; 0 if there is none.
            pixel_bytes: upper bound on the body's bytes per pixel of a small image.

        Raises:
            ProblemError: the service is draining, or the queue is full.
        """
        if self.draining:
            raise ProblemError(DRAINING, "the service is shutting down", retry_after_s=1, is_last=True)
        self._likely_queue(announced_bytes, pixel_bytes).require_room()
        admission = Admission(self._bodies.empty_reservation())
        self._unfinished += 1
        self._idle.clear()
        self._update_metrics()
        try:
            yield admission
        finally:
            if admission.work is None:
                self._end_work(admission)
            admission.cancel()
            admission.leave()
            self._update_metrics()

    def reserve(self, admission: Admission, more_bytes: int) -> None:
        """Reserve memory for a chunk of a request's body that has arrived.

        Raises:
            ProblemError: the memory is not free.
        """
        try:
            admission.body.grow(more_bytes)
        except MemoryFullError as error:
            detail = f"all bodies held together may have at most {self._bodies.limit_bytes} bytes"
            raise refusal(detail, self._queues[Size.SMALL].wait_s) from error
        self._metrics.body_bytes.set(self._bodies.reserved_bytes)

    async def run(self, request: SegmentRequest, admission: Admission, gone: "asyncio.Task[None]") -> Segmented | None:
        """Segment an image.

        Args:
            request: the image and its parameters.
            admission: the request's admission.
            gone: task that ends when the client disconnects.

        Returns:
            The response, complete or as soon as its first chunk is known; None if the client disconnected first.

        Raises:
            ProblemError, TilingError: the image cannot be segmented, or not in time.
        """
        queue = self._likely_queue(admission.body.size_bytes, request.pixel_bytes)
        queue.require_room()
        expected = ExitStack()
        expected.enter_context(queue.expecting())  # now: the task starts later, after others
        chunks: asyncio.Queue[bytes | None] = asyncio.Queue()
        admission.request = request
        admission.work = work = asyncio.create_task(self._work(request, admission, expected, chunks))
        work.add_done_callback(partial(self._on_work_done, admission, expected, chunks))
        first = asyncio.create_task(chunks.get())
        try:
            deadline_s = self._settings.deadline_s
            await asyncio.wait({first, gone}, timeout=deadline_s, return_when=asyncio.FIRST_COMPLETED)
            if first.done() and first.result() is None:
                response = work.result()
                self._count(response, admission)
                return Segmented.of(response)
            if gone.done():
                self._metrics.client_disconnects.inc()
                return None
            if first.done():
                return Segmented(self._chunks(first.result(), work, admission, chunks, gone), None)
            raise ProblemError(DEADLINE, f"the response was not ready within {deadline_s:g} s")
        finally:
            first.cancel()
            del work  # or an exception and this frame would refer to each other until they are garbage-collected

    async def reload(self) -> str:
        """Load the current weights file and use it. Running and waiting requests keep the old weights.

        Returns:
            The SHA-256 of the file.

        Raises:
            SegmentationError: the file cannot be used; the service keeps the old weights.
        """
        try:
            self.segmenter = await self._reloader.load()
        except Exception:
            self._metrics.reloads.labels("failure").inc()
            raise
        self._metrics.reloads.labels("success").inc()
        self._record_loaded_weights()
        return self.segmenter.checkpoint.digest

    async def drain(self) -> None:
        """Refuse new requests, and wait until the accepted ones are finished, at most ``drain_timeout_s``."""
        self.draining = True
        try:
            async with asyncio.timeout(self._settings.drain_timeout_s):
                await self._idle.wait()
        except TimeoutError:
            pass

    def close(self) -> None:
        """Cancel the work that has not started; each thread ends after its current step or band."""
        self._reloader.close()
        self._pipeline.close()

    def _workers(self, name: str, threads: int, decoders: int, *, low_priority: bool = False) -> Workers:
        on_failure = self._metrics.decoder_failed
        return Workers(
            thread_pool(name, threads, low_priority=low_priority),
            Decoders(decoders, self._settings.max_pixels, low_priority=low_priority, on_failure=on_failure),
        )

    async def _work(
        self,
        request: SegmentRequest,
        admission: Admission,
        expected: ExitStack,
        chunks: "asyncio.Queue[bytes | None]",
    ) -> EncodedResponse:
        with expected:
            self._update_metrics()
            cost = await self._pipeline.open(request)
        queue = self._queues[cost.size]
        with queue.enter(admission, cost):
            self._update_metrics()
            admission.image = memory = await queue.memory.reserve(cost.peak_bytes)
            self._update_metrics()
            try:
                response = await self._encoded(request, admission, cost, chunks)
            finally:
                if cost.size is Size.LARGE:
                    await self._pipeline.trim(request)
            if cost.size is Size.SMALL:
                admission.body.resize(len(response.body))
                memory.close()
            else:
                memory.resize(len(response.body) or cost.response_bytes)
        return response

    async def _encoded(
        self, request: SegmentRequest, admission: Admission, cost: Cost, chunks: "asyncio.Queue[bytes | None]"
    ) -> EncodedResponse:
        """Compute the response. Chunks are queued without waiting: a slow client must not hold the image's memory."""
        is_streamed = cost.size is Size.LARGE and request.output.is_streamed
        body, pixels = b"", 0
        async with aclosing(self._pipeline.bands(request, cost.size)) as bands:
            async for band in bands:
                pixels += band.mask.size
                admission.progress = pixels / cost.pixels
                if band.chunk and is_streamed:
                    chunks.put_nowait(band.chunk)
                elif band.chunk:
                    body = band.chunk  # only the last rows have a chunk
        admission.progress = 1.0
        return request.response(body, pixels)

    async def _chunks(
        self,
        chunk: bytes | None,
        work: "asyncio.Task[EncodedResponse]",
        admission: Admission,
        chunks: "asyncio.Queue[bytes | None]",
        gone: "asyncio.Task[None]",
    ) -> AsyncIterator[bytes]:
        """Yield the chunks. The deadline applies to each of them: the client's image decides how long all take."""
        gone.add_done_callback(lambda _: chunks.put_nowait(None))
        while chunk is not None:
            yield chunk
            chunk = await self._next_chunk(chunks)
        if not work.done():
            self._metrics.client_disconnects.inc()
            return
        try:
            self._count(work.result(), admission)
        except ProblemError as error:
            self._metrics.aborted_responses.inc()
            raise ResponseAborted(error.detail) from error

    async def _next_chunk(self, chunks: "asyncio.Queue[bytes | None]") -> bytes | None:
        try:
            async with asyncio.timeout(self._settings.deadline_s):
                return await chunks.get()
        except TimeoutError as error:
            self._metrics.aborted_responses.inc()
            raise ResponseAborted(f"its next chunk was not ready within {self._settings.deadline_s:g} s") from error

    def _likely_queue(self, size_bytes: int, pixel_bytes: float) -> RequestQueue:
        """The queue that a body of this size will probably enter; the image's header, read later, decides."""
        is_likely_large = size_bytes > self._settings.small_image_pixels * pixel_bytes
        return self._queues[Size.LARGE if is_likely_large else Size.SMALL]

    def _count(self, response: EncodedResponse, admission: Admission) -> None:
        admission.response = response
        self._metrics.observe_stages(response.stages)
        self._metrics.pixels.inc(response.pixels)
        self._metrics.megapixels.observe(response.pixels / 1e6)

    def _on_work_done(
        self,
        admission: Admission,
        expected: ExitStack,
        chunks: "asyncio.Queue[bytes | None]",
        work: "asyncio.Task[EncodedResponse]",
    ) -> None:
        expected.close()
        chunks.put_nowait(None)
        # Retrieve the exception, or asyncio would log it if nobody else does.
        _ = work.cancelled() or work.exception()
        self._end_work(admission)

    def _end_work(self, admission: Admission) -> None:
        self._unfinished -= 1
        admission.end_work()
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
