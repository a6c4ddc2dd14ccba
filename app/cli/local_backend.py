"""Segments images in this process, with the service's own decoders and writers."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from app.cli.backend import Advance, Request, Write
from app.cli.errors import CannotStartError, FileError
from app.cli.result import NamedClass, PixelCounter, Result
from app.formats.png_writer import PngWriter
from app.formats.rendering import (
    MaskEncoding,
    OutputFormat,
    confidence_writer,
    mask_writer,
    render_json,
    render_overlay,
)
from app.images.pool import Decoders
from app.pipeline.cost import estimate_cost
from app.pipeline.loading import Loader
from app.pipeline.options import Options
from app.problems import ProblemError
from app.settings import Settings
from model.cores import set_threads
from model.errors import SegmentationError
from model.segmentation import Band, collect
from model.segmenter import Segmenter
from model.tiling import Tiling


def require_segmenter(settings: Settings) -> Segmenter:
    """The segmenter that a service with these settings would have.

    Raises:
        CannotStartError: weights or device cannot be used.
    """
    try:
        set_threads(settings.threads, "FCN_THREADS")
        return Loader(settings).load()
    except SegmentationError as error:
        raise CannotStartError(str(error)) from error


class LocalBackend:
    """A network, decoders that take their images from files that may crash them, and one thread for the device.

    Args:
        settings: weights, device, precision and limits.
        request: what is wanted of every image.
        count: of images in work at once.

    Raises:
        CannotStartError: weights or device cannot be used.
    """

    def __init__(self, settings: Settings, request: Request, count: int) -> None:
        self._options = Options(
            OutputFormat(request.format), MaskEncoding(request.mask), Tiling(request.tiling), request.alpha
        )
        self._max_pixels = settings.max_pixels
        # One thread, and so one team of OpenMP's threads, whoever asks.
        self._device = ThreadPoolExecutor(1, "device")
        self._segmenter = self._device.submit(require_segmenter, settings).result()
        logging.getLogger("app").addHandler(logging.NullHandler())  # what decoders log, errors say as well
        self._decoders = Decoders(count, settings.max_pixels)
        labels = self._segmenter.checkpoint.labels
        self.digest = self._segmenter.checkpoint.digest
        named = zip(labels.names, labels.colors, strict=True)
        self.classes = {index: NamedClass(name, color) for index, (name, color) in enumerate(named)}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._device.shutdown()
        self._decoders.close()

    def segment(self, data: bytes, write: Write, advance: Advance) -> Result:
        try:
            return self._segment(self._decode(data), write, advance)
        except ProblemError as error:
            raise FileError(error.detail) from error
        except SegmentationError as error:
            raise FileError(str(error)) from error
        except MemoryError as error:
            raise FileError("there is too little memory for the image") from error
        except RuntimeError as error:  # PyTorch's, a failed allocation among them
            raise FileError(f"the device failed: {str(error).splitlines()[0]}") from error

    def _decode(self, data: bytes) -> NDArray[np.uint8]:
        file = self._decoders.open(data)
        try:
            limits = self._segmenter.limits
            estimate_cost(file.height, file.width, file.decode_bytes, self._options, limits, self._max_pixels)
            return self._decoders.decode(file)
        finally:
            file.close()

    def _segment(self, image: NDArray[np.uint8], write: Write, advance: Advance) -> Result:
        counter = PixelCounter()
        bands = self._bands(image, counter, advance)
        if self._options.output.is_streamed:
            writer = self._writer(*image.shape[:2])
            for band in bands:
                rows = band.mask if band.confidence is None else band.confidence
                if len(rows):
                    write(writer.write(rows))
        else:
            write(self._render(image, bands))
        height, width = image.shape[:2]
        return Result(height, width, counter.shares(self.classes))

    def _bands(self, image: NDArray[np.uint8], counter: PixelCounter, advance: Advance) -> Iterator[Band]:
        wants_confidence = self._options.output is OutputFormat.CONFIDENCE
        bands = self._segmenter.bands(image, tiling=self._options.tiling, confidence=wants_confidence)
        advance(0.0)
        while (band := self._device.submit(next, bands, None).result()) is not None:
            counter.add(band.mask)
            advance(len(band.mask) / len(image))
            yield band

    def _writer(self, height: int, width: int) -> PngWriter:
        if self._options.output is OutputFormat.CONFIDENCE:
            return confidence_writer(height, width, self.digest)
        return mask_writer(height, width, self._segmenter.checkpoint.labels, self.digest)

    def _render(self, image: NDArray[np.uint8], bands: Iterator[Band]) -> bytes:
        segmentation = collect(bands, image.shape[:2], self._segmenter.checkpoint.labels, confidence=False)
        if self._options.output is OutputFormat.OVERLAY:
            return render_overlay(image, segmentation, self._options.alpha, self.digest)
        return render_json(segmentation, self._options.mask, self.digest)
