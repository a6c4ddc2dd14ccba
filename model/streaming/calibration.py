"""Activation ranges of a program, measured on photographs."""

from collections.abc import Iterable

import torch
from torch import Tensor

from model.streaming.program import Program
from model.streaming.quantization import Range
from model.streaming.rows import Rows


@torch.inference_mode()
def measure_ranges(program: Program, images: Iterable[Tensor]) -> tuple[Range, ...]:
    """Measure the minimum and maximum of each activation, the image first; empty if there are no images.

    Args:
        program: floating-point program to measure.
        images: inputs of the program, (batch, 3, height, width) each.
    """
    ranges: list[Range] = []
    for image in images:
        seen = [_range(value) for value in _values(program, image)]
        ranges = [_union(*pair) for pair in zip(ranges, seen, strict=True)] if ranges else seen
    return tuple(ranges)


def _values(program: Program, image: Tensor) -> list[Tensor]:
    """Compute every value of the program for an image, by number."""
    totals = program.totals(image.shape[2])
    values = [image]
    for number, step in enumerate(program.steps, start=1):
        inputs = [Rows(0, (values[source],), totals[source]) for source in step.inputs]
        values.append(step.operation(inputs, range(totals[number])))
    return values


def _range(value: Tensor) -> Range:
    low, high = value.aminmax()
    return low.item(), high.item()


def _union(one: Range, other: Range) -> Range:
    return min(one[0], other[0]), max(one[1], other[1])
