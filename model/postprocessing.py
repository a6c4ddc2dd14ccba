"""From scores to each pixel's result, in bands of rows: a mask never needs the whole image's logits at once."""

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor

from model.streaming import Program, Step, Stream, Upsample
from model.upsampling import BilinearUpsampling, Upsampling
from model.upsampling.argmax import winning_classes

_MAX_BAND_NUMBERS = 1 << 23
"""Maximum number of logits in a band of rows; 32 MiB in float32."""

LogitsTransform = Callable[[Tensor], Tensor]
"""A function of logits: (batch, K, height, width) -> (batch, any channels, height, width)."""


def argmax(logits: Tensor) -> Tensor:
    """Return the winning class: (batch, 1, height, width) uint8."""
    return logits.argmax(dim=1, keepdim=True).to(torch.uint8)


def argmax_and_confidence(logits: Tensor) -> Tensor:
    """Return the winning class and 255 times its probability: (batch, 2, height, width) uint8."""
    confidence = logits.softmax(dim=1).amax(dim=1, keepdim=True).mul_(255).round_().to(torch.uint8)
    return torch.cat([argmax(logits), confidence], dim=1)


def probabilities(logits: Tensor) -> Tensor:
    """Return the probability of each class: (batch, K, height, width), 0..1."""
    return logits.softmax(dim=1)


class Postprocessor:
    """Takes rows of scores, from top to bottom, and yields a function of their logits.

    Args:
        upsampling: upsampling from scores to logits.
        transform: function of the logits.
        rows: total number of rows of scores.
        transposed: whether scores and pixels are transposed.
        band_factor: factor on the logits computed at once.
    """

    def __init__(
        self,
        upsampling: Upsampling,
        transform: LogitsTransform,
        rows: int,
        *,
        transposed: bool = False,
        band_factor: int = 1,
    ) -> None:
        # Logits are not computed if their argmax can be found without them.
        self._makes_logits = transform is not argmax or not isinstance(upsampling, BilinearUpsampling)
        if self._makes_logits:
            enlarge = partial(_transformed, upsampling, transform)
        else:
            enlarge = partial(_bilinear_argmax, upsampling.factor)
        program = Program((Step(Upsample(enlarge, upsampling.factor), (0,)),))
        self._stream = Stream(program.transposed() if transposed else program, rows)
        self._pixels_a_cell = upsampling.factor**2
        self._max_band_numbers = _MAX_BAND_NUMBERS * band_factor

    def push(self, scores: Tensor) -> Iterator[Tensor]:
        """Take the next rows of scores, (batch, K, rows, width), and yield bands of the pixels they complete."""
        batch, num_classes, _, width = scores.shape
        numbers = batch * width * self._pixels_a_cell * (num_classes if self._makes_logits else 1)
        for part in torch.split(scores, max(1, self._max_band_numbers // numbers), dim=2):
            self._stream.feed(part)
            while self._stream.advance():
                if (pixels := self._stream.take()) is not None:
                    yield pixels


def _transformed(upsampling: Upsampling, transform: LogitsTransform, scores: Tensor) -> Tensor:
    return transform(upsampling(scores))


def _bilinear_argmax(factor: int, scores: Tensor) -> Tensor:
    return winning_classes(scores, factor)[:, None]
