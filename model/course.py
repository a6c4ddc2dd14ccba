"""The way of some images, or of the bands of one, from pixels to what is read of them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.decoding import Decoder
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
        decoder: of its scores.
        device: to compute on.
        dtype: to compute in.
    """

    def __init__(
        self, preprocessing: Preprocessing, stream: Stream, decoder: Decoder, device: torch.device, dtype: torch.dtype
    ) -> None:
        self._preprocessing = preprocessing
        self._stream = stream
        self._decoder = decoder
        self._device = device
        self._dtype = dtype

    def push(self, rows: Sequence[NDArray[np.uint8]]) -> Piece:
        """Take the next rows of each image, (rows, width, 3) uint8 RGB, both sides multiples of 32."""
        scores, timings = self.forward(rows)
        if scores is None:
            return Piece(None, timings)
        started = time.perf_counter()
        with torch.inference_mode():
            parts = [part.cpu().numpy() for part in self._decoder.push(scores)]
        timings = replace(timings, upsample_s=time.perf_counter() - started)
        return Piece(np.concatenate(parts, axis=2) if parts else None, timings)

    @torch.inference_mode()
    def forward(self, rows: Sequence[NDArray[np.uint8]]) -> tuple[Tensor | None, Timings]:
        """The scores alone: (batch, K, rows, width), None if there are none yet."""
        started = time.perf_counter()
        # A view of (batch, height, width, 3) as (batch, 3, height, width) is channels_last as it stands.
        pixels = torch.from_numpy(np.stack(rows)).to(self._device).permute(0, 3, 1, 2)
        images = self._preprocessing(pixels, self._dtype)
        preprocessed = self._now()
        scores = self._stream.push(images)
        return scores, Timings(preprocessed - started, self._now() - preprocessed, 0.0)

    def _now(self) -> float:
        """The time, once the device has done what was ordered, so that its work counts where it was."""
        if self._device.type == "cuda":
            torch.cuda.current_stream(self._device).synchronize()
        return time.perf_counter()
