"""Segments images in this process, with the service's pipeline."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from app.cli.backend import Advance, Request, Write
from app.cli.errors import CannotStartError, FileError
from app.cli.result import NamedClass, PixelCounter, Result
from app.formats.json import MaskEncoding
from app.formats.output_format import OutputFormat
from app.images.pool import Decoders
from app.observability.metrics import Metrics
from app.pipeline.loading import Loader
from app.pipeline.pipeline import EncodedBand, Pipeline, Workers
from app.pipeline.request import SegmentRequest
from app.pipeline.scheduler import Scheduler
from app.problems import DEVICE_FAILED, ProblemError
from app.settings import Settings
from app.threads import thread_pool
from model.cores import set_threads
from model.errors import SegmentationError
from model.segmenter import Segmenter
from model.tiling import Tiling

_Result = TypeVar("_Result")


def require_segmenter(settings: Settings) -> Segmenter:
    """Load the segmenter that a service with these settings would use.

    Raises:
        CannotStartError: the weights or the device cannot be used.
    """
    try:
        set_threads(settings.threads, "FCN_THREADS")
        return Loader(settings).load()
    except SegmentationError as error:
        raise CannotStartError(str(error)) from error


class LocalBackend:
    """A pipeline, and the thread of its event loop.

    Args:
        settings: weights, device, precision and limits.
        request: parameters for all images.
        count: number of images in progress at once.

    Raises:
        CannotStartError: the weights or the device cannot be used.
    """

    def __init__(self, settings: Settings, request: Request, count: int) -> None:
        self._output = OutputFormat(request.format).with_parameters(MaskEncoding(request.mask), request.alpha)
        self._tiling = Tiling(request.tiling)
        all_cores = thread_pool("all-cores", 1)
        self._segmenter = all_cores.submit(require_segmenter, settings).result()
        logging.getLogger("app").addHandler(logging.NullHandler())  # the errors repeat what decoders log
        # Latency of small images does not matter here: one thread computes everything, with one OpenMP team.
        scheduler = Scheduler(all_cores, Metrics(), large_images=all_cores)
        workers = Workers(thread_pool("image", count), Decoders(count, settings.max_pixels))
        self._pipeline = Pipeline(scheduler, workers, workers, workers, settings.max_pixels)
        self._runner = asyncio.Runner()
        self._loop = self._runner.get_loop()
        self._left = asyncio.Event()
        self._thread = threading.Thread(target=self._runner.run, args=(self._left.wait(),), daemon=True)
        self._thread.start()
        labels = self._segmenter.checkpoint.labels
        self.digest = self._segmenter.checkpoint.digest
        named = zip(labels.names, labels.colors, strict=True)
        self.classes = {index: NamedClass(name, color) for index, (name, color) in enumerate(named)}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pipeline.close()
        self._loop.call_soon_threadsafe(self._left.set)
        self._thread.join()
        self._runner.close()

    def segment(self, data: bytes, write: Write, advance: Advance) -> Result:
        request = SegmentRequest(data, self._output, self._segmenter, self._tiling)
        try:
            return self._segment(request, write, advance)
        except ProblemError as error:
            raise FileError(_told(error)) from error
        except SegmentationError as error:
            raise FileError(str(error)) from error
        except MemoryError as error:
            raise FileError("there is too little memory for the image") from error
        except RuntimeError as error:
            raise FileError(_first_line(error)) from error
        finally:
            request.close()

    def _segment(self, request: SegmentRequest, write: Write, advance: Advance) -> Result:
        cost = self._run(self._pipeline.open(request))
        advance(0.0)
        counter, rows, width = PixelCounter(), 0, 0
        bands = self._pipeline.bands(request, cost.size)
        try:
            while (band := self._run(_next(bands))) is not None:
                counter.add(band.mask)
                rows, width = rows + len(band.mask), band.mask.shape[1]
                advance(band.mask.size / cost.pixels)
                if band.chunk:
                    write(band.chunk)
        finally:
            request.cancelled.set()
            self._run(bands.aclose())
        return Result(rows, width, counter.shares(self.classes))

    def _run(self, step: "Coroutine[Any, Any, _Result]") -> _Result:
        return asyncio.run_coroutine_threadsafe(step, self._loop).result()


async def _next(bands: AsyncIterator[EncodedBand]) -> EncodedBand | None:
    return await anext(bands, None)


def _told(error: ProblemError) -> str:
    """The error's message, with the device's error if it failed: unlike a service, a command has no log to show it."""
    if error.problem is DEVICE_FAILED and error.__cause__ is not None:
        return f"the device failed: {_first_line(error.__cause__)}"
    return error.detail


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
