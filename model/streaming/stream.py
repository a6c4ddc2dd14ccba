"""One image's way through a program."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from model.streaming.program import Program
from model.streaming.rows import Geometry, Rows


def run(program: Program, inputs: Tensor) -> Tensor:
    """What a program gives for whole images, (batch, channels, rows, width)."""
    stream = Stream(program, inputs.shape[2])
    stream.feed(inputs)
    stream.advance()
    result = stream.take()
    assert result is not None
    return result


class Stream:
    """Takes an image's rows, from top to bottom, and gives those of the result as soon as they are known.

    Whoever has fed it some lets it advance for as long as it can, and takes what has become known after each advance.

    Args:
        program: what to do.
        rows: number of rows of the whole image.
        interrupt: is called before each step; what it raises ends the work there.
    """

    def __init__(self, program: Program, rows: int, interrupt: Callable[[], None] | None = None) -> None:
        self._steps = program.steps
        self._interrupt = interrupt
        self._share = 0.0
        self._values = [_Value(total) for total in program.totals(rows)]
        for number, step in enumerate(program.steps, start=1):
            for source, geometry in zip(step.inputs, step.operation.geometries, strict=True):
                self._values[source].readers.append((self._values[number], geometry))

    def feed(self, rows: Tensor) -> None:
        """Take the next rows, (batch, channels, rows, width)."""
        self._values[0].append(rows)
        self._share = rows.shape[2] / self._values[0].total

    def advance(self) -> bool:
        """Compute what can be computed, of each value no more than its share for the rows last fed.

        After the image's last row much can be: it is not to take more memory, or longer, than the bands before.

        Returns:
            Whether there was anything to do.
        """
        computed = [self._compute(number) for number in range(1, len(self._values))]
        return any(computed)

    def take(self) -> Tensor | None:
        """The rows of the result that have become known, (batch, channels, rows, width); None if there are none."""
        return self._values[-1].take()

    def kept_bytes(self) -> int:
        """Memory of what waits for rows still to come."""
        return sum(value.kept_bytes() for value in self._values)

    def _compute(self, number: int) -> bool:
        """Compute the next rows of a value, and let go of what nobody needs any more."""
        if self._interrupt is not None:
            self._interrupt()
        step, value = self._steps[number - 1], self._values[number]
        sources = [self._values[source] for source in step.inputs]
        pairs = list(zip(sources, step.operation.geometries, strict=True))
        ready = min(
            value.total if source.stop == source.total else geometry.ready(source.stop) for source, geometry in pairs
        )
        multiple = step.operation.row_multiple
        stop = min(ready, value.stop + max(multiple, math.ceil(value.total * self._share)))
        if stop < value.total:
            stop -= stop % multiple
        if stop <= value.stop:
            return False
        wanted = range(value.stop, stop)
        value.append(step.operation([source.rows(geometry.needed(wanted)) for source, geometry in pairs], wanted))
        for source in sources:
            source.release()
        return True


class _Value:
    """What is known of an operation's output and still needed.

    Attributes:
        total: rows that it has in the end.
        stop: rows that have been computed.
        readers: the values that are computed from it, and how.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.stop = 0
        self.readers: list[tuple[_Value, Geometry]] = []
        self._first = 0
        self._kept: Tensor | None = None

    def append(self, rows: Tensor) -> None:
        self._kept = rows if self._kept is None else torch.cat([self._kept, rows], dim=2)
        self.stop += rows.shape[2]

    def rows(self, needed: range) -> Rows:
        """The needed rows, without those above the first and below the last."""
        assert self._kept is not None
        start, stop = max(0, needed.start), min(self.total, needed.stop)
        return Rows(start, self._kept[:, :, start - self._first : stop - self._first], self.total)

    def release(self) -> None:
        """Drop the rows that no reader needs any more."""
        needed = min(reader.needs_from(geometry, self.stop) for reader, geometry in self.readers)
        if self._kept is None or needed <= self._first:
            return
        # A view would keep all of the rows in memory.
        self._kept = self._kept[:, :, needed - self._first :].clone() if needed < self.stop else None
        self._first = needed

    def kept_bytes(self) -> int:
        return 0 if self._kept is None else self._kept.nbytes

    def needs_from(self, geometry: Geometry, available: int) -> int:
        """The first row of an input that rows still to come depend on."""
        if self.stop == self.total:
            return available
        return min(available, max(0, geometry.needed(range(self.stop, self.stop + 1)).start))

    def take(self) -> Tensor | None:
        """All rows that have not been taken."""
        taken, self._kept, self._first = self._kept, None, self.stop
        return taken
