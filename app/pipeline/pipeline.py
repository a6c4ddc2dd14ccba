"""The steps of every image: open, decode, predict, encode, each in a thread of a bounded pool."""

from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.formats.format import Rows
from app.heap import trim_heap
from app.images.pool import Decoders
from app.pipeline.cost import Cost, Size
from app.pipeline.request import SegmentRequest
from app.pipeline.scheduler import Scheduler
from app.pipeline.step import finished


@dataclass(frozen=True, slots=True, eq=False)
class Workers:
    """A thread pool, and the decoders that its threads use."""

    threads: ThreadPoolExecutor
    decoders: Decoders

    def close(self) -> None:
        """Cancel the steps that have not started; each thread ends after its current step."""
        self.threads.shutdown(wait=False, cancel_futures=True)
        self.decoders.close()


@dataclass(frozen=True, slots=True)
class EncodedBand:
    """Rows of a segmentation.

    Attributes:
        mask: (rows, width), uint8 class indices; zero rows if a step of work completed none.
        chunk: bytes of the response that these rows complete; may be empty.
    """

    mask: NDArray[np.uint8]
    chunk: bytes


class Pipeline:
    """Segments images; callers limit how many at once. Belongs to one event loop.

    Small and large images have separate workers, so that a small image never waits until a large one is decoded or
    encoded.

    Args:
        scheduler: decides when each band is predicted.
        headers: workers that read headers.
        small: workers for small images.
        large: workers for large images.
        max_pixels: maximum pixels per image.
    """

    def __init__(self, scheduler: Scheduler, headers: Workers, small: Workers, large: Workers, max_pixels: int) -> None:
        self.scheduler = scheduler
        self._headers = headers
        self._workers = {Size.SMALL: small, Size.LARGE: large}
        self._max_pixels = max_pixels

    def start_decoders(self) -> None:
        """Start the decoder processes now, so that the first small images need not wait for them.

        Raises:
            ProblemError: they cannot be started.
        """
        self._headers.decoders.start()
        self._workers[Size.SMALL].decoders.start()

    async def open(self, request: SegmentRequest) -> Cost:
        """Read the image's header.

        Raises:
            ProblemError, TilingError: the image cannot be segmented.
        """
        return await finished(self._headers.threads.submit(request.open, self._headers.decoders, self._max_pixels))

    async def bands(self, request: SegmentRequest, size: Size) -> AsyncGenerator[EncodedBand, None]:
        """Segment an opened image from top to bottom, in bounded steps.

        Raises:
            ProblemError: the image is damaged, or the device failed.
        """
        workers = self._workers[size]
        image, encoder = await finished(workers.threads.submit(request.decode, workers.decoders))
        async with aclosing(self._predicted(request, image, size)) as bands:
            del image  # or every reference to this frame would keep it alive
            async for band in bands:
                request.predicted(band)
                chunk = b""
                if len(band.mask):
                    chunk = await finished(workers.threads.submit(request.encode, encoder, band))
                yield EncodedBand(band.mask, chunk)

    async def trim(self, request: SegmentRequest) -> None:
        """Free a large image and return its memory to the operating system. Runs in a worker thread, since it takes
        tens of milliseconds.
        """

        def trim() -> None:
            request.forget_pixels()
            trim_heap()

        with suppress(RuntimeError):  # the pool is closed: the process is ending
            await finished(self._workers[Size.LARGE].threads.submit(trim))

    def close(self) -> None:
        """Cancel the work that has not started; each thread ends after its current step or band."""
        self.scheduler.close()
        for workers in {self._headers, *self._workers.values()}:
            workers.close()

    async def _predicted(
        self, request: SegmentRequest, image: NDArray[np.uint8], size: Size
    ) -> AsyncGenerator[Rows, None]:
        segmenter, confidence = request.segmenter, request.output.wants_confidence
        if size is Size.SMALL:
            small = self.scheduler.segment(segmenter, image, request.cancelled, confidence=confidence)
            segmentation = await finished(small)
            yield segmentation
            return
        bands = self.scheduler.bands(segmenter, image, request.tiling, request.cancelled, confidence=confidence)
        async with aclosing(bands):
            async for band in bands:
                yield band
