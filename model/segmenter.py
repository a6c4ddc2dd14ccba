"""Segments images: the one object that serving, scoring and scripts use."""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.capabilities import require_precision
from model.checkpoint import Checkpoint
from model.course import Course, Piece
from model.device import choose_device, device_errors
from model.errors import CheckpointError, ImageError
from model.networks import FCN
from model.networks.fcn import aligned
from model.postprocessing import LogitsTransform, Postprocessor, argmax, argmax_and_confidence, probabilities
from model.precision import Precision
from model.segmentation import NO_TIME, Band, Segmentation, Timings, collect
from model.streaming import Program, Stream, fuse, quantize, trace_scores
from model.tiling import Rectangle, ScoreMap, Tiling, TilingLimits, mean_logits, sliding_windows

DEFAULT_WEIGHTS = Path(__file__).parent / "weights" / "voc.safetensors"
"""The checkpoint that ships."""

_MAX_GOLDEN_DIFFERENCE = 0.005
"""Share of golden pixels that may differ: devices and precisions round differently where two classes are close."""

_MAX_INT8_GOLDEN_DIFFERENCE = 0.02
"""The same with integers: of 30 photographs they moved 0.4% of the pixels, of one of them 1.3%."""


class Segmenter:
    """A network ready to segment. Keeps nothing between calls; may be called from several threads at once.

    Args:
        checkpoint: weights and all that belongs to them.
        device: ``cpu``, ``cuda``, ``cuda:1``, ... or ``auto``: CUDA where there is some.
        limits: how images are cut.
        precision: type to compute scores in, and so not ``auto``; what follows them is at least float32.

    Attributes:
        precision_reason: why it is this precision, for people.

    Raises:
        CheckpointError: the weights do not fit the network, or have no ranges for int8.
        DeviceError: the device cannot be used, or not in this precision.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        device: str | torch.device = "auto",
        limits: TilingLimits = TilingLimits(),  # noqa: B008 (frozen)
        precision: Precision = Precision.FLOAT32,
    ) -> None:
        self.checkpoint = checkpoint
        self.device = choose_device(device) if isinstance(device, str) else device
        self.limits = limits
        self.precision = precision
        self.precision_reason = "as set"
        require_precision(precision, self.device)
        if precision is Precision.INT8 and not checkpoint.activation_ranges:
            raise CheckpointError("the checkpoint has no ranges to predict in int8 with; export it with --calibrate")
        with device_errors(self.device):
            network = self._build()
            self._upsampling = network.upsampling.to(torch.promote_types(precision.dtype, torch.float32))
            self._program = self._prepared(trace_scores(network))
        # Few images are so wide: most processes never need these weights.
        self._transposed_program = cache(self._make_transposed_program)

    @classmethod
    def load(
        cls,
        path: Path = DEFAULT_WEIGHTS,
        device: str = "auto",
        limits: TilingLimits = TilingLimits(),  # noqa: B008 (frozen)
        precision: Precision = Precision.FLOAT32,
    ) -> "Segmenter":
        """Read a checkpoint and check that it gives the mask it promises for its golden image.

        Raises:
            CheckpointError: the file is missing, damaged, foreign, gives another mask than it promises, or has no
                ranges for int8.
            DeviceError: the device cannot be used, or not in this precision.
        """
        segmenter = cls(Checkpoint.load(path), device, limits, precision)
        segmenter.require_golden_mask(path)
        return segmenter

    def require_golden_mask(self, path: Path) -> None:
        """Check that the checkpoint, which was read from ``path``, gives the mask that it promises.

        Raises:
            CheckpointError: it gives another, or promises none.
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
            confidence: also give the winning classes' probabilities.

        Raises:
            ImageError: the array is no such image.
            TilingError: the image is too large to be predicted that way.
        """
        bands = self.bands(image, tiling=tiling, confidence=confidence)
        return collect(bands, image.shape[:2], self.checkpoint.labels, confidence=confidence)

    def bands(
        self, image: NDArray[np.uint8], *, tiling: Tiling = Tiling.AUTO, confidence: bool = False
    ) -> Iterator[Band]:
        """Predict from top to bottom, a bounded amount of work at a time: what ``segment`` does, to be followed.

        Whoever asks for the next band decides when, and in which thread, the device works.

        Raises:
            ImageError: the array is no image.
            TilingError: the image is too large to be predicted that way.
        """
        transform = argmax_and_confidence if confidence else argmax
        pieces = self._pieces(image, tiling, transform)
        width = image.shape[1]
        return (_band(piece, width) for piece in pieces)

    def segment_together(
        self,
        images: Sequence[NDArray[np.uint8]],
        *,
        confidence: bool = False,
        interrupt: Callable[[], None] | None = None,
    ) -> list[Segmentation]:
        """Predict several images in one pass: a GPU takes little more time for them than for one.

        Args:
            images: at least one, (height, width, 3) uint8 RGB; of the same size once their sides are rounded up to
                multiples of 32.
            confidence: also give the winning classes' probabilities.
            interrupt: is called before each of the network's layers; what it raises ends the work there.

        Raises:
            ImageError: an array is no such image, or the sizes differ.
        """
        for image in images:
            _require_image(image)
        sizes = {(aligned(image.shape[0]), aligned(image.shape[1])) for image in images}
        if len(sizes) != 1:
            raise ImageError(f"images of one size are predicted together, not of {sorted(sizes)}")
        ((height, width),) = sizes
        course = self._course(height, argmax_and_confidence if confidence else argmax, interrupt=interrupt)
        whole = Rectangle(0, 0, height, width)
        (piece,) = course.push([self._cut(image, whole) for image in images])
        assert piece.pixels is not None
        return [
            Segmentation(
                pixels[0, : image.shape[0], : image.shape[1]],
                self.checkpoint.labels,
                piece.timings,
                pixels[1, : image.shape[0], : image.shape[1]] if confidence else None,
            )
            for image, pixels in zip(images, piece.pixels, strict=True)
        ]

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
            TilingError: the image is too large to be predicted that way.
        """
        pieces = self._pieces(image, tiling, probabilities)
        rows = [piece.pixels[0, :, :, : image.shape[1]] for piece in pieces if piece.pixels is not None]
        return np.concatenate(rows, axis=1, dtype=np.float32, casting="same_kind")

    def _pieces(self, image: NDArray[np.uint8], tiling: Tiling, transform: LogitsTransform) -> Iterator[Piece]:
        """An image's rows as read, and no more; their width may be rounded up."""
        _require_image(image)
        height, width = image.shape[:2]
        match self.limits.choose(height, width, tiling):
            case Tiling.OVERLAP:
                return self._overlapping(image, transform)
            case Tiling.WHOLE:
                return self._streamed(image, transform, aligned(height))
            case _ if self.limits.should_transpose(height, width):
                return self._streamed_across(image, transform)
            case _:
                return self._streamed(image, transform, self.limits.band_rows(width))

    def _streamed(
        self, image: NDArray[np.uint8], transform: LogitsTransform, band_rows: int, *, across: bool = False
    ) -> Iterator[Piece]:
        height, width = image.shape[:2]
        course = self._course(aligned(height), transform, across=across)
        done = 0
        for top in range(0, aligned(height), band_rows):
            band = Rectangle(top, 0, min(band_rows, aligned(height) - top), aligned(width))
            for piece in course.push([self._cut(image, band)]):
                pixels = None if piece.pixels is None else piece.pixels[:, :, : height - done]
                done += 0 if pixels is None else pixels.shape[2]
                yield Piece(pixels, piece.timings)

    def _streamed_across(self, image: NDArray[np.uint8], transform: LogitsTransform) -> Iterator[Piece]:
        """By bands of columns; the rows are told when all is done."""
        height, width = image.shape[:2]
        whole: NDArray[Any] | None = None
        left = 0
        for piece in self._streamed(image.transpose(1, 0, 2), transform, self.limits.band_rows(height), across=True):
            if piece.pixels is not None:
                batch, channels, columns, _ = piece.pixels.shape
                if whole is None:
                    whole = np.empty((batch, channels, height, width), dtype=piece.pixels.dtype)
                whole[..., left : left + columns] = piece.pixels[..., :height].swapaxes(2, 3)
                left += columns
            yield Piece(None, piece.timings)
        yield Piece(whole, NO_TIME)

    def _overlapping(self, image: NDArray[np.uint8], transform: LogitsTransform) -> Iterator[Piece]:
        height, width = image.shape[:2]
        maps: list[ScoreMap] = []
        for place in sliding_windows(height, width, self.limits.overlap_height, self.limits.overlap_width):
            scores, timings = self._course(place.height, transform).scores([self._cut(image, place)])
            maps.append(ScoreMap(place.top, place.left, scores[0]))
            yield Piece(None, timings)
        bands = mean_logits(maps, self._upsampling, height, width)
        while (piece := _next_piece(bands, transform)) is not None:
            yield piece

    def _prepared(self, program: Program) -> Program:
        """The program in the kernels that compute it fastest."""
        return fuse(
            quantize(program, self.checkpoint.activation_ranges) if self.precision is Precision.INT8 else program
        )

    def _build(self) -> FCN:
        return self.checkpoint.build().to(self.device, self.precision.dtype)

    def _make_transposed_program(self) -> Program:
        return self._prepared(trace_scores(self._build()).transposed())

    def _course(
        self,
        height: int,
        transform: LogitsTransform,
        *,
        across: bool = False,
        interrupt: Callable[[], None] | None = None,
    ) -> Course:
        program = self._transposed_program() if across else self._program
        postprocessor = Postprocessor(self._upsampling, transform, program.total(height), across=across)
        stream = Stream(program, height, interrupt)
        return Course(self.checkpoint.preprocessing, stream, postprocessor, self.device, self.precision.dtype)

    def _cut(self, image: NDArray[np.uint8], place: Rectangle) -> NDArray[np.uint8]:
        """The pixels of a rectangle, padded with the mean colour where it reaches beyond the image."""
        pixels = image[place.top : place.bottom, place.left : place.right]
        return self.checkpoint.preprocessing.pad(pixels, place.height, place.width)


def _require_image(image: NDArray[np.uint8]) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ImageError(f"an image is (height, width, 3) uint8, not {image.shape} {image.dtype}")


@torch.inference_mode()
def _next_piece(bands: Iterator[Tensor], transform: LogitsTransform) -> Piece | None:
    started = time.perf_counter()
    logits = next(bands, None)
    if logits is None:
        return None
    pixels = transform(logits[None]).cpu().numpy()
    return Piece(pixels, Timings(0.0, 0.0, time.perf_counter() - started))


def _band(piece: Piece, width: int) -> Band:
    if piece.pixels is None:
        return Band(np.empty((0, width), dtype=np.uint8), piece.timings)
    mask, *confidence = piece.pixels[0, :, :, :width]
    return Band(mask, piece.timings, confidence[0] if confidence else None)
