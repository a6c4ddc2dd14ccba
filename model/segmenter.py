"""Segments images: the one object that serving, scoring and scripts use."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.checkpoint import Checkpoint
from model.decoding import decode_confidence, decode_mask, decode_probabilities
from model.device import choose_device
from model.errors import CheckpointError, ImageError
from model.segmentation import Segmentation, Timings
from model.tiling import ScoreMap, Tiling, TilingLimits, compute_scores, network_halo, plan_tiles

DEFAULT_WEIGHTS = Path(__file__).parent / "weights" / "fcn8s.safetensors"
"""The checkpoint that ships."""

Turn = Callable[[], AbstractContextManager[object]]
"""Makes the context of one forward pass."""

_MAX_GOLDEN_DIFFERENCE = 0.005
"""Share of golden pixels that may differ: devices and precisions round differently where two classes are close."""


class Segmenter:
    """A network ready to segment. Keeps nothing between calls; may be called from several threads at once.

    Args:
        checkpoint: weights and all that belongs to them.
        device: ``cpu``, ``cuda``, ``cuda:1``, ... or ``auto``: CUDA where there is some.
        limits: sizes of tiles.
        dtype: floating-point type to compute in.

    Raises:
        CheckpointError: the weights do not fit the network.
        DeviceError: the device cannot be used.
        TilingError: tiles are too small for the network.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        device: str = "auto",
        limits: TilingLimits = TilingLimits(),  # noqa: B008 (frozen)
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.checkpoint = checkpoint
        self.device = choose_device(device)
        self.limits = limits
        self.halo = network_halo(checkpoint.config)
        self.halo.require_room(limits.tile_size)
        self._dtype = dtype
        self._network = checkpoint.build().to(self.device, dtype).to(memory_format=torch.channels_last)

    @classmethod
    def load(
        cls,
        path: Path = DEFAULT_WEIGHTS,
        device: str = "auto",
        limits: TilingLimits = TilingLimits(),  # noqa: B008 (frozen)
    ) -> "Segmenter":
        """Read a checkpoint and check that it gives the mask it promises for its golden image.

        Raises:
            CheckpointError: the file is missing, damaged, foreign, or gives another mask than it promises.
        """
        segmenter = cls(Checkpoint.load(path), device, limits)
        golden = segmenter.checkpoint.golden
        if golden is None:
            raise CheckpointError(f"weights file {path} has no golden sample to check it with; export it first")
        mask = segmenter.segment(golden.image).mask
        difference = float((mask != golden.mask).mean())
        if difference > _MAX_GOLDEN_DIFFERENCE:
            raise CheckpointError(
                f"weights file {path} is damaged: its golden image's mask differs in {difference:.1%} of the pixels"
            )
        return segmenter

    def segment(
        self,
        image: NDArray[np.uint8],
        *,
        tiling: Tiling = Tiling.AUTO,
        confidence: bool = False,
        turn: Turn = nullcontext,
    ) -> Segmentation:
        """Predict the class of every pixel.

        Args:
            image: (height, width, 3), uint8 RGB, at least 1 x 1.
            tiling: how the image is cut.
            confidence: also give the winning classes' probabilities.
            turn: entered around each forward pass, so that the caller decides who uses the device when; what it
                raises ends the prediction.

        Raises:
            ImageError: the array is no such image.
            TilingError: the image cannot be cut that way.
        """
        _require_image(image)
        height, width = image.shape[:2]
        stopwatch = _Stopwatch(self.device)
        with torch.inference_mode():
            maps = self._scores(image, tiling, stopwatch, turn)
            stopwatch.start()
            mask = decode_mask(maps, self._network.upsampling, height, width)
            sure = decode_confidence(maps, self._network.upsampling, height, width) if confidence else None
            upsample_s = stopwatch.lap()
        timings = Timings(stopwatch.preprocess_s, stopwatch.forward_s, upsample_s)
        return Segmentation(mask, self.checkpoint.labels, timings, sure)

    def probabilities(self, image: NDArray[np.uint8], *, tiling: Tiling = Tiling.AUTO) -> NDArray[np.float32]:
        """Predict how probable each class is at every pixel: what predictions are averaged with.

        Takes 4 K bytes a pixel, so 84 MB a megapixel with VOC's 21 classes; ``segment`` needs 1 byte a pixel.

        Args:
            image: (height, width, 3), uint8 RGB, at least 1 x 1.
            tiling: how the image is cut.

        Returns:
            (K, height, width) float32, 0..1; the classes of a pixel add up to 1.

        Raises:
            ImageError: the array is no such image.
            TilingError: the image cannot be cut that way.
        """
        _require_image(image)
        with torch.inference_mode():
            maps = self._scores(image, tiling, _Stopwatch(self.device), nullcontext)
            return decode_probabilities(maps, self._network.upsampling, *image.shape[:2])

    def _scores(
        self,
        image: NDArray[np.uint8],
        tiling: Tiling,
        stopwatch: "_Stopwatch",
        turn: Turn,
    ) -> list[ScoreMap]:
        plan = plan_tiles(image.shape[0], image.shape[1], tiling, self.limits, self.halo)
        preprocessing = self.checkpoint.preprocessing

        def forward(tile: NDArray[np.uint8]) -> Tensor:
            with turn():
                stopwatch.start()
                # A copy is contiguous, and writable as torch wants it.
                pixels = torch.from_numpy(tile.copy()).to(self.device)
                # A view of (height, width, 3) as (1, 3, height, width) is channels_last as it stands.
                images = preprocessing(pixels.permute(2, 0, 1)[None], self._dtype)
                stopwatch.preprocess_s += stopwatch.lap()
                scores = self._network.scores(images)[0]
                stopwatch.forward_s += stopwatch.lap()
                return scores

        return compute_scores(plan, image, forward, self._network.stride, preprocessing.mean_color)


def _require_image(image: NDArray[np.uint8]) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ImageError(f"an image is (height, width, 3) uint8, not {image.shape} {image.dtype}")


class _Stopwatch:
    """Time of one prediction's stages; waits for the device, so that its work counts where it was ordered."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.preprocess_s = 0.0
        self.forward_s = 0.0
        self._since = time.perf_counter()

    def start(self) -> None:
        self._since = time.perf_counter()

    def lap(self) -> float:
        """Seconds since the last call of this or ``start``."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        now = time.perf_counter()
        elapsed, self._since = now - self._since, now
        return elapsed
