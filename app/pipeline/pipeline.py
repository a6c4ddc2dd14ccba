"""The way of every image: open, decode, predict, encode, each step in a bounded thread."""

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
    """Threads, and the decoders that they use."""

    threads: ThreadPoolExecutor
    decoders: Decoders

    def close(self) -> None:
        """Give up what has not started; threads end with the step that they are in."""
        self.threads.shutdown(wait=False, cancel_futures=True)
        self.decoders.close()


@dataclass(frozen=True, slots=True)
class EncodedBand:
    """Rows of a segmentation.

    Attributes:
        mask: (rows, width), uint8 class indices; without rows after work that made none known.
        chunk: bytes of the response that are certain with these rows; there may be none.
    """

    mask: NDArray[np.uint8]
    chunk: bytes


class Pipeline:
    """Segments images; how many at once is for its callers to say. Belongs to one event loop.

    Small images and large ones have workers of their own: a small one never waits for a large one's decoding or
    encoding.

    Args:
        scheduler: decides when each band is predicted.
        headers: workers that read headers.
        small: workers of small images.
        large: workers of large images.
        max_pixels: the most pixels that an image may have.
    """

    def __init__(self, scheduler: Scheduler, headers: Workers, small: Workers, large: Workers, max_pixels: int) -> None:
        self.scheduler = scheduler
        self._headers = headers
        self._workers = {Size.SMALL: small, Size.LARGE: large}
        self._max_pixels = max_pixels

    def start_decoders(self) -> None:
        """Start the processes that the first small images would wait for.

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
        """Segment an opened image, from top to bottom, a bounded amount of work at a time.

        Raises:
            ProblemError: the image is damaged, or the device failed.
        """
        workers = self._workers[size]
        image, encoder = await finished(workers.threads.submit(request.decode, workers.decoders))
        async with aclosing(self._predicted(request, image, size)) as bands:
            del image  # or what knows this frame would hold it
            async for band in bands:
                request.predicted(band)
                chunk = b""
                if len(band.mask):
                    chunk = await finished(workers.threads.submit(request.encode, encoder, band))
                yield EncodedBand(band.mask, chunk)

    async def trim(self, request: SegmentRequest) -> None:
        """Free a large image, and return its memory to the operating system; not in the event loop's thread, for it
        takes tens of milliseconds.
        """

        def trim() -> None:
            request.forget_pixels()
            trim_heap()

        with suppress(RuntimeError):  # it is closed: the process ends
            await finished(self._workers[Size.LARGE].threads.submit(trim))

    def close(self) -> None:
        """Give up what has not started; threads end with the step or band they are in."""
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
