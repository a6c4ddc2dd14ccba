"""Two consecutive operations, a strip of rows at a time: the intermediate result never leaves the caches.

A network's first convolution outputs five times as many numbers as the image has; pooling keeps a quarter of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from model.streaming.operations import Operation
from model.streaming.program import Program
from model.streaming.rows import Geometry, Rows, Window
from model.streaming.step import Step

_STRIP_BYTES = 1 << 22
"""Bytes of intermediate result computed at a time: few enough for a processor's cache."""

_MIN_STRIP_ROWS = 4
"""Minimum rows of the result in a strip: the intermediate row that two strips share is computed twice."""


@dataclass(frozen=True, slots=True)
class Strips(Operation):
    """Two operations as one.

    Attributes:
        first: operation that reads the input.
        second: operation that is the only reader of the first's output.
        first_window: window of the first operation.
        second_window: window of the second operation.
    """

    first: Operation
    second: Operation
    first_window: Window
    second_window: Window

    @property
    def geometries(self) -> tuple[Geometry, ...]:
        return (self.first_window.followed_by(self.second_window),)

    def __call__(self, inputs: Sequence[Rows], wanted: range) -> Tensor:
        (rows,) = inputs
        first = self._strip(rows, range(wanted.start, min(wanted.start + _MIN_STRIP_ROWS, wanted.stop)))
        batch, channels, done, width = first.shape
        y = first.new_empty((batch, len(wanted), width, channels)).permute(0, 3, 1, 2)
        y[:, :, :done] = first
        strip_rows = max(_MIN_STRIP_ROWS, _STRIP_BYTES // self._bytes_per_row(first))
        for start in range(wanted.start + done, wanted.stop, strip_rows):
            strip = range(start, min(start + strip_rows, wanted.stop))
            y[:, :, start - wanted.start : strip.stop - wanted.start] = self._strip(rows, strip)
        return y

    def _strip(self, rows: Rows, wanted: range) -> Tensor:
        """Compute some rows of the result."""
        total = self.first_window.total(rows.total)
        needed = self.second_window.needed(wanted)
        between = range(max(0, needed.start), min(total, needed.stop))
        x = self.first([_part(rows, self.first_window.needed(between))], between)
        return self.second([Rows(between.start, (x,), total)], wanted)

    def _bytes_per_row(self, y: Tensor) -> int:
        return y.nbytes // y.shape[2] * self.second_window.stride**2

    def transposed(self) -> Operation:
        raise NotImplementedError("a program is transposed before its operations are joined")


def join_strips(program: Program) -> Program:
    """Join the program's first two operations, if both are windows and only the second reads the first's output."""
    if len(program.steps) < 2:
        return program
    first, second = program.steps[:2]
    readers = sum(1 in step.inputs for step in program.steps)
    windows = [step.operation.geometries[0] for step in (first, second) if len(step.operation.geometries) == 1]
    if first.inputs != (0,) or second.inputs != (1,) or readers != 1 or len(windows) != 2:
        return program
    if first.operation.row_multiple != 1 or second.operation.row_multiple != 1:
        return program
    first_window, second_window = windows
    if not isinstance(first_window, Window) or not isinstance(second_window, Window):
        return program
    joined = Step(Strips(first.operation, second.operation, first_window, second_window), (0,))
    rest = (Step(step.operation, tuple(max(0, source - 1) for source in step.inputs)) for step in program.steps[2:])
    return Program((joined, *rest))


def _part(rows: Rows, needed: range) -> Rows:
    start, stop = max(rows.start, needed.start), min(rows.stop, needed.stop)
    return Rows(start, (rows.tensor[:, :, start - rows.start : stop - rows.start],), rows.total)
