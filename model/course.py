"""The way of some images, or of the bands of one, from pixels to what is read of them."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.postprocessing import Postprocessor
from model.preprocessing import Preprocessing
from model.segmentation import Timings
from model.streaming import Stream


@dataclass(frozen=True, slots=True)
class Piece:
    """What is known after some work.

    Attributes:
        pixels: (batch, channels, rows, width), what was read of the next rows; None if there are none yet.
        timings: of the work.
    """

    pixels: NDArray[Any] | None
    timings: Timings


class Course:
    """Images of one size that go through the network together, from top to bottom.

    Args:
        preprocessing: from uint8 to what the network reads.
        stream: through the network.
        postprocessor: of its scores.
        device: to compute on.
        dtype: to compute in.
    """

    def __init__(
        self,
        preprocessing: Preprocessing,
        stream: Stream,
        postprocessor: Postprocessor,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self._preprocessing = preprocessing
        self._stream = stream
        self._postprocessor = postprocessor
        self._device = device
        self._dtype = dtype

    def push(self, rows: Sequence[NDArray[np.uint8]]) -> Iterator[Piece]:
        """Take the next rows of each image, (rows, width, 3) uint8 RGB, both sides multiples of 32.

        Yields:
            What has become known, after each bounded amount of work.
        """
        preprocess_s = self._feed(rows)
        while (advance := self._advance()) is not None:
            scores, forward_s = advance
            started = time.perf_counter()
            pixels = None if scores is None else self._decode(scores)
            yield Piece(pixels, Timings(preprocess_s, forward_s, time.perf_counter() - started))
            preprocess_s = 0.0

    def scores(self, images: Sequence[NDArray[np.uint8]]) -> tuple[Tensor, Timings]:
        """The scores of whole images: (batch, K, height / stride, width / stride)."""
        preprocess_s = self._feed(images)
        advance = self._advance()
        assert advance is not None
        scores, forward_s = advance
        assert scores is not None
        return scores, Timings(preprocess_s, forward_s, 0.0)

    @torch.inference_mode()
    def _feed(self, rows: Sequence[NDArray[np.uint8]]) -> float:
        """Seconds that it took."""
        started = time.perf_counter()
        # A view of (batch, height, width, 3) as (batch, 3, height, width) is channels_last as it stands.
        pixels = torch.from_numpy(np.stack(rows)).to(self._device).permute(0, 3, 1, 2)
        self._stream.feed(self._preprocessing(pixels, self._dtype))
        return self._now() - started

    @torch.inference_mode()
    def _advance(self) -> tuple[Tensor | None, float] | None:
        """The scores that became known and the seconds that it took; None if nothing was left to do."""
        started = time.perf_counter()
        if not self._stream.advance():
            return None
        scores = self._stream.take()
        # Interpolated in half precision, scores would make steps that can be seen.
        scores = None if scores is None else scores.to(torch.promote_types(scores.dtype, torch.float32))
        return scores, self._now() - started

    @torch.inference_mode()
    def _decode(self, scores: Tensor) -> NDArray[Any] | None:
        parts = [part.cpu().numpy() for part in self._postprocessor.push(scores)]
        return np.concatenate(parts, axis=2) if parts else None

    def _now(self) -> float:
        """The time, once the device has done what was ordered, so that its work counts where it was."""
        if self._device.type == "cuda":
            torch.cuda.current_stream(self._device).synchronize()
        return time.perf_counter()
