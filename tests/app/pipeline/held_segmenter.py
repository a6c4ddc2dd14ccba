"""A segmenter that tests hold, and whose device may fail."""

import threading
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from model.precision import Precision
from model.segmentation import Band, Segmentation
from model.segmenter import Segmenter
from model.tiling import Tiling, TilingLimits
from tests.model.random_checkpoint import random_checkpoint


class HeldSegmenter(Segmenter):
    """Predicts photographs when released; remembers the batches that it was asked to predict.

    Args:
        fault: number of images -> the exception that a forward pass of them raises at its end, if any.
    """

    def __init__(self, fault: Callable[[int], Exception | None] = lambda _: None) -> None:
        super().__init__(
            random_checkpoint(), "cpu", TilingLimits(band_pixels=64 * 96, small_image_pixels=64 * 96), Precision.FLOAT64
        )
        self.let = threading.Event()
        self.batches: list[list[tuple[int, ...]]] = []
        self.most_at_once = 0
        self._fault = fault
        self._at_once = 0
        self._lock = threading.Lock()

    def segment_together(
        self,
        images: Sequence[NDArray[np.uint8]],
        *,
        confidence: bool = False,
        interrupt: Callable[[], None] | None = None,
    ) -> list[Segmentation]:
        with self._lock:
            self.batches.append([image.shape[:2] for image in images])
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            assert self.let.wait(30)
            results = super().segment_together(images, confidence=confidence, interrupt=interrupt)
        finally:
            with self._lock:
                self._at_once -= 1
        self._fail(len(images))
        return results

    def bands(
        self, image: NDArray[np.uint8], *, tiling: Tiling = Tiling.AUTO, confidence: bool = False
    ) -> Iterator[Band]:
        for band in super().bands(image, tiling=tiling, confidence=confidence):
            self._fail(1)
            yield band

    def _fail(self, count: int) -> None:
        if (fault := self._fault(count)) is not None:
            raise fault
