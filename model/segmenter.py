"""The segmenter: the one object with which serving, scoring and scripts segment images."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.capabilities import require_precision
from model.checkpoint import Checkpoint
from model.cuda_options import CudaOptions
from model.device import choose_device, device_errors
from model.errors import CheckpointError, ImageError
from model.networks import FCN
from model.networks.fcn import aligned
from model.postprocessing import LogitsTransform, Postprocessor, argmax, argmax_and_confidence, probabilities
from model.precision import Precision
from model.segmentation import NO_TIME, Band, Segmentation, Timings, collect
from model.streaming import Program, Stream, fuse, fuse_cudnn, quantize, trace_scores
from model.tiling import ScoreMap, Tiling, TilingLimits, mean_logits, sliding_windows
from model.transfer import to_device, to_host

DEFAULT_WEIGHTS = Path(__file__).parent / "weights" / "voc.safetensors"
"""Path of the checkpoint shipped with the package."""

_MAX_GOLDEN_DIFFERENCE = 0.005
"""Maximum share of golden pixels that may differ: devices round differently where two classes are close."""

_MAX_INT8_GOLDEN_DIFFERENCE = 0.02
"""Maximum share with int8, which changed 0.4% of the pixels of 30 photographs, and 1.3% of the pixels of one."""


class Segmenter:
    """A network ready to segment. Stateless between calls and thread-safe.

    Args:
        checkpoint: the weights and their metadata.
        device: ``cpu``, ``cuda``, ``cuda:1``, ... or ``auto``: CUDA if available.
        limits: tile sizes and limits.
        precision: data type to compute scores in, not ``auto``; upsampling is done in float32 or better.
        cuda_options: GPU optimisations.

    Attributes:
        precision_reason: human-readable reason for the choice of precision.

    Raises:
        CheckpointError: the weights do not fit the network, or lack the activation ranges for int8.
        DeviceError: the device cannot be used, or not in this precision.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        device: str | torch.device = "auto",
        limits: TilingLimits = TilingLimits(),  # noqa: B008 (frozen)
        precision: Precision = Precision.FLOAT32,
        cuda_options: CudaOptions = CudaOptions(),  # noqa: B008 (frozen)
    ) -> None:
        self.checkpoint = checkpoint
        self.device = choose_device(device) if isinstance(device, str) else device
        self._options = cuda_options if self.device.type == "cuda" else CudaOptions()
        self.limits = replace(limits, band_pixels=limits.band_pixels * self._options.band_factor)
        self.precision = precision
        self.precision_reason = "as set"
        self._dtype = precision.dtype
        # Interpolating scores in half precision would make visible steps.
        self._upsampling_dtype = torch.promote_types(self._dtype, torch.float32)
        require_precision(precision, self.device)
        if precision is Precision.INT8 and not checkpoint.activation_ranges:
            raise CheckpointError("the checkpoint has no ranges to predict in int8 with; export it with --calibrate")
        with device_errors(self.device):
            network = self._build()
            self._upsampling = network.upsampling.to(self._upsampling_dtype)
            self._program = self._prepared(trace_scores(network))

    @classmethod
    def load(
        cls,
        path: Path = DEFAULT_WEIGHTS,
        device: str = "auto",
        limits: TilingLimits = TilingLimits(),  # noqa: B008 (frozen)
        precision: Precision = Precision.FLOAT32,
    ) -> "Segmenter":
        """Read a checkpoint and verify that it predicts the golden mask for its golden image.

        Raises:
            CheckpointError: the file is missing, damaged, foreign, predicts another mask, or lacks the activation
                ranges for int8.
            DeviceError: the device cannot be used, or not in this precision.
        """
        segmenter = cls(Checkpoint.load(path), device, limits, precision)
        segmenter.require_golden_mask(path)
        return segmenter

    def require_golden_mask(self, path: Path) -> None:
        """Verify that the checkpoint, read from ``path``, predicts its golden mask.

        Raises:
            CheckpointError: it predicts another mask, or has no golden sample.
            DeviceError: the device failed, or has too little memory.
        """
        golden = self.checkpoint.golden
        if golden is None:
            raise CheckpointError(f"weights file {path} has no golden sample to check it with; export it first")
        with device_errors(self.device):
            mask = self.segment(golden.image).mask
        difference = float((mask != golden.mask).mean())
        if difference > (_MAX_INT8_GOLDEN_DIFFERENCE if self.precision is Precision.INT8 else _MAX_GOLDEN_DIFFERENCE):
            raise CheckpointError(
                f"weights file {path} is damaged: its golden image's mask differs in {difference:.1%} of the pixels"
            )

    def segment(
        self, image: NDArray[np.uint8], *, tiling: Tiling = Tiling.AUTO, confidence: bool = False
    ) -> Segmentation:
        """Predict the class of every pixel.

        Args:
            image: (height, width, 3), uint8 RGB, at least 1 x 1.
            tiling: how the image is cut.
            confidence: whether to return the winning classes' probabilities too.

        Raises:
            ImageError: the array is no such image.
            TilingError: the image is too large for this tiling.
        """
        bands = self.bands(image, tiling=tiling, confidence=confidence)
        return collect(bands, image.shape[:2], self.checkpoint.labels, confidence=confidence)

    def bands(
        self, image: NDArray[np.uint8], *, tiling: Tiling = Tiling.AUTO, confidence: bool = False
    ) -> Iterator[Band]:
        """Predict as ``segment`` does, but band by band from top to bottom, a bounded amount of work at a time.

        The device works only while the caller waits for the next band, in the caller's thread.

        Raises:
            ImageError: the array is not an image.
            TilingError: the image is too large for this tiling.
        """
        return self._bands(image, tiling, argmax_and_confidence if confidence else argmax)

    def segment_together(
        self,
        images: Sequence[NDArray[np.uint8]],
        *,
        confidence: bool = False,
        interrupt: Callable[[], None] | None = None,
    ) -> list[Segmentation]:
        """Predict several images in one forward pass: a GPU takes little longer for them than for one.

        Args:
            images: at least one, (height, width, 3) uint8 RGB; of the same size once their sides are rounded up to
                multiples of 32.
            confidence: whether to return the winning classes' probabilities too.
            interrupt: function called before each of the network's layers; it stops the work by raising.

        Raises:
            ImageError: an array is no such image, or the sizes differ.
        """
        for image in images:
            _require_image(image)
        sizes = {(aligned(image.shape[0]), aligned(image.shape[1])) for image in images}
        if len(sizes) != 1:
            raise ImageError(f"images predicted together must have one size, not {sorted(sizes)}")
        ((height, width),) = sizes
        stream = Stream(self._program, height, interrupt)
        postprocessor = self._postprocessor(height, argmax_and_confidence if confidence else argmax)
        padded = [self.checkpoint.preprocessing.pad(image, height, width) for image in images]
        (bands,) = self._push(padded, stream, postprocessor)
        cropped = [band.cropped(*image.shape[:2]) for band, image in zip(bands, images, strict=True)]
        return [Segmentation(band.mask, self.checkpoint.labels, band.timings, band.confidence) for band in cropped]

    def probabilities(self, image: NDArray[np.uint8], *, tiling: Tiling = Tiling.AUTO) -> NDArray[np.float32]:
        """Predict each class's probability at every pixel, as needed to average predictions.

        Takes 4 K bytes per pixel, so 84 MB per megapixel with VOC's 21 classes; ``segment`` needs 1 byte per pixel.

        Args:
            image: (height, width, 3), uint8 RGB, at least 1 x 1.
            tiling: how the image is cut.

        Returns:
            (K, height, width) float32, 0..1; the probabilities of a pixel add up to 1.

        Raises:
            ImageError: the array is no such image.
            TilingError: the image is too large for this tiling.
        """
        rows = [band.pixels for band in self._bands(image, tiling, probabilities) if band.rows]
        return np.concatenate(rows, axis=1, dtype=np.float32, casting="same_kind")

    def _bands(self, image: NDArray[np.uint8], tiling: Tiling, transform: LogitsTransform) -> Iterator[Band]:
        _require_image(image)
        height, width = image.shape[:2]
        match self.limits.choose(height, width, tiling):
            case Tiling.OVERLAP:
                return self._overlapping(image, transform)
            case Tiling.WHOLE:
                return self._streamed(image, transform, aligned(height))
            case _ if self.limits.should_transpose(height, width):
                return self._streamed_transposed(image, transform)
            case _:
                return self._streamed(image, transform, self.limits.band_rows(height, width))

    def _streamed(
        self, image: NDArray[np.uint8], transform: LogitsTransform, band_rows: int, *, transposed: bool = False
    ) -> Iterator[Band]:
        height, width = image.shape[:2]
        end = aligned(height)
        stream = Stream(self._transposed_program if transposed else self._program, end)
        postprocessor = self._postprocessor(end, transform, transposed=transposed)
        done = 0
        for top in range(0, end, band_rows):
            rows = min(band_rows, end - top)
            padded = self.checkpoint.preprocessing.pad(image[top : top + rows], rows, aligned(width))
            for (band,) in self._push([padded], stream, postprocessor):
                cropped = band.cropped(height - done, width)
                done += cropped.rows
                yield cropped

    def _streamed_transposed(self, image: NDArray[np.uint8], transform: LogitsTransform) -> Iterator[Band]:
        """Predict in bands of columns; the rows are yielded after the last one."""
        height, width = image.shape[:2]
        whole: NDArray[Any] | None = None
        left = 0
        band_rows = self.limits.band_rows(width, height)
        for band in self._streamed(image.transpose(1, 0, 2), transform, band_rows, transposed=True):
            if band.rows:
                if whole is None:
                    whole = np.empty((len(band.pixels), height, width), dtype=band.pixels.dtype)
                whole[..., left : left + band.rows] = band.pixels.swapaxes(1, 2)
                left += band.rows
            yield Band.without_rows(width, band.timings)
        assert whole is not None
        yield Band(whole, NO_TIME)

    def _overlapping(self, image: NDArray[np.uint8], transform: LogitsTransform) -> Iterator[Band]:
        height, width = image.shape[:2]
        maps: list[ScoreMap] = []
        for window in sliding_windows(height, width, self.limits.overlap_height, self.limits.overlap_width):
            pixels = image[window.top : window.bottom, window.left : window.right]
            padded = self.checkpoint.preprocessing.pad(pixels, window.height, window.width)
            ((scores, timings),) = self._scores([padded], Stream(self._program, window.height))
            assert scores is not None
            maps.append(ScoreMap(window.top, window.left, scores[0]))
            yield Band.without_rows(width, timings)
        logits = mean_logits(maps, self._upsampling, height, width)
        while (band := _next_band(logits, transform)) is not None:
            yield band

    def _push(
        self, rows: Sequence[NDArray[np.uint8]], stream: Stream, postprocessor: Postprocessor
    ) -> Iterator[list[Band]]:
        """Take the next rows of each image, as ``_scores`` does, and yield the next band of each."""
        for scores, forward_timings in self._scores(rows, stream):
            started = time.perf_counter()
            pixels = None if scores is None else self._postprocess(scores, postprocessor)
            timings = replace(forward_timings, upsample_s=time.perf_counter() - started)
            if pixels is None:
                yield [Band.without_rows(image.shape[1], timings) for image in rows]
            else:
                yield [Band(image_pixels, timings) for image_pixels in pixels]

    def _scores(self, rows: Sequence[NDArray[np.uint8]], stream: Stream) -> Iterator[tuple[Tensor | None, Timings]]:
        """Take the next rows of each image, (rows, width, 3) uint8 RGB, both sides multiples of 32.

        Yields:
            After each bounded amount of work, the new scores, (batch, K, rows / stride, width / stride), or None, and
            the time it took.
        """
        preprocess_s = self._feed(rows, stream)
        while True:
            started = time.perf_counter()
            has_advanced, scores = self._advance(stream)
            if not has_advanced:
                return
            yield scores, Timings(preprocess_s, self._now() - started, 0.0)
            preprocess_s = 0.0

    @torch.inference_mode()
    def _feed(self, rows: Sequence[NDArray[np.uint8]], stream: Stream) -> float:
        """Feed images to the stream; return the seconds that it took."""
        started = time.perf_counter()
        pixels = to_device(np.stack(rows), self.device, pinned=self._options.pinned_copies)
        # A view of (batch, height, width, 3) as (batch, 3, height, width) is channels_last, without a copy.
        stream.feed(self.checkpoint.preprocessing(pixels.permute(0, 3, 1, 2), self._dtype))
        return self._now() - started

    @torch.inference_mode()
    def _advance(self, stream: Stream) -> tuple[bool, Tensor | None]:
        """Do a bounded amount of work; return whether there was any, and the new scores."""
        has_advanced = stream.advance()
        scores = stream.take()
        return has_advanced, None if scores is None else scores.to(self._upsampling_dtype)

    def _now(self) -> float:
        """Return the time after the device's pending work, so that the work counts for the stage that started it."""
        if self.device.type == "cuda":
            torch.cuda.current_stream(self.device).synchronize()
        return time.perf_counter()

    def _postprocessor(self, rows: int, transform: LogitsTransform, *, transposed: bool = False) -> Postprocessor:
        total = self._program.total(rows)
        factor = self._options.band_factor
        return Postprocessor(self._upsampling, transform, total, transposed=transposed, band_factor=factor)

    @torch.inference_mode()
    def _postprocess(self, scores: Tensor, postprocessor: Postprocessor) -> NDArray[Any] | None:
        """Return the pixels that are complete by now, (batch, channels, rows, width); None if there are none."""
        parts = to_host(postprocessor.push(scores), pinned=self._options.pinned_copies)
        return np.concatenate(parts, axis=2) if parts else None

    def _prepared(self, program: Program, twin: Program | None = None) -> Program:
        """Return the program with the fastest kernels; ``twin`` as for ``fuse``."""
        if self.precision is Precision.INT8:
            _, *ranges = self.checkpoint.activation_ranges
            program = quantize(program, [self.checkpoint.preprocessing.bounds, *ranges])
        return fuse_cudnn(program) if self._options.fused_convolutions else fuse(program, twin)

    def _build(self) -> FCN:
        return self.checkpoint.build().to(self.device, self._dtype)

    @cached_property
    def _transposed_program(self) -> Program:
        """Program for images far wider than high; built on demand, because few are and it has weights of its own."""
        return self._prepared(trace_scores(self._build()).transposed(), self._program)


def _require_image(image: NDArray[np.uint8]) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ImageError(f"an image must be (height, width, 3) uint8, not {image.shape} {image.dtype}")


@torch.inference_mode()
def _next_band(bands: Iterator[Tensor], transform: LogitsTransform) -> Band | None:
    """Return the next band; ``bands`` yields logits, (K, rows, width)."""
    started = time.perf_counter()
    logits = next(bands, None)
    if logits is None:
        return None
    pixels = transform(logits[None])[0].cpu().numpy()
    return Band(pixels, Timings(0.0, 0.0, time.perf_counter() - started))
