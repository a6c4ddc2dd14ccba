"""Streaming one image through a program."""

from collections.abc import Callable

from torch import Tensor

from model.streaming.program import Program
from model.streaming.row_buffer import RowBuffer
from model.streaming.rows import Rows
from model.streaming.schedule import Schedule


def run(program: Program, inputs: Tensor) -> Tensor:
    """Run a program on whole images, (batch, channels, rows, width), and return its output."""
    stream = Stream(program, inputs.shape[2])
    stream.feed(inputs)
    stream.advance()
    result = stream.take()
    assert result is not None
    return result


class Stream:
    """Takes an image's rows from top to bottom, and returns rows of the result as soon as they are computed.

    After feeding rows, call ``advance`` until it returns False, and ``take`` the new output after each call. An
    interrupted stream cannot be reused.

    Args:
        program: program to run.
        rows: number of rows of the whole image.
        interrupt: function called before each step; it stops the work by raising.
    """

    def __init__(self, program: Program, rows: int, interrupt: Callable[[], None] | None = None) -> None:
        self._program = program
        self._interrupt = interrupt
        self._rows = rows
        totals = program.totals(rows)
        self._schedule = Schedule(program.steps, totals)
        self._values = [_Value(total) for total in totals]

    def feed(self, rows: Tensor) -> None:
        """Take the next rows, (batch, channels, rows, width)."""
        if self._schedule.stops[0] == 0 and rows.shape[2] < self._rows:
            for value, count in zip(self._values, self._program.waiting_rows(rows.shape[2]), strict=True):
                value.expect_waiting(count)
        self._schedule.feed(rows.shape[2])
        self._values[0].append(rows)

    def advance(self) -> bool:
        """Compute the rows that are ready, of each value at most its share for the highest band so far.

        After the image's last row, many rows are ready at once; the limit keeps their memory and time to those of
        earlier bands.

        Returns:
            Whether anything was computed.
        """
        computed = [self._compute(number) for number in range(1, len(self._values))]
        return any(computed)

    def take(self) -> Tensor | None:
        """Return the new rows of the result, (batch, channels, rows, width); None if there are none."""
        return self._values[-1].take()

    def kept_bytes(self) -> int:
        """Return the bytes of memory held by rows that wait for others."""
        return sum(value.kept_bytes() for value in self._values)

    def _compute(self, number: int) -> bool:
        """Compute the next rows of a value, and release rows that are no longer needed."""
        if self._interrupt is not None:
            self._interrupt()
        schedule, step = self._schedule, self._program.steps[number - 1]
        if wanted := schedule.wanted(number):
            geometries = zip(step.inputs, step.operation.geometries, strict=True)
            inputs = [self._values[source].rows(geometry.needed(wanted)) for source, geometry in geometries]
            self._values[number].append(step.operation(inputs, wanted))
            schedule.stops[number] = wanted.stop
            for source in step.inputs:
                self._values[source].drop(schedule.needed(source))
        for source in schedule.read_for_the_last_time(number):
            self._values[source].settle(schedule.needed(source))
        return len(wanted) > 0


class _Value:
    """The rows of an operation's output that are computed and still needed.

    Args:
        total: number of rows of the whole output.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._stop = 0
        self._waiting = RowBuffer()
        self._fresh: Tensor | None = None  # rows last computed, below the waiting ones

    def expect_waiting(self, count: int) -> None:
        """Reserve room for ``count`` rows, to be allocated at once when the first have to wait."""
        self._waiting.capacity = min(count, self._total)

    def append(self, rows: Tensor) -> None:
        assert self._fresh is None, "rows have been neither read nor taken"
        self._fresh = rows
        self._stop += rows.shape[2]

    def rows(self, needed: range) -> Rows:
        """Return the needed rows, clipped to the value's first and last row."""
        start, stop = max(0, needed.start), min(self._total, needed.stop)
        fresh = self._fresh_start
        parts = self._waiting.slices(start, min(stop, fresh))
        if self._fresh is not None and fresh < stop:
            parts.append(self._fresh[:, :, max(0, start - fresh) : stop - fresh])
        return Rows(start, tuple(parts), self._total)

    def drop(self, needed: int) -> None:
        """Drop the rows above row ``needed``."""
        self._waiting.drop(needed)
        if needed == self._stop:
            self._fresh = None

    def settle(self, needed: int) -> None:
        """Of the rows last computed, keep only those that are needed later."""
        if self._fresh is None:
            return
        fresh = self._fresh_start
        start = max(fresh, needed)
        # Copied, because a view would keep all of the rows in memory.
        self._waiting.add(start, self._fresh[:, :, start - fresh :])
        self._fresh = None

    def kept_bytes(self) -> int:
        return self._waiting.nbytes + (0 if self._fresh is None else self._fresh.nbytes)

    def take(self) -> Tensor | None:
        """Return the rows last computed; None if they have been taken."""
        taken, self._fresh = self._fresh, None
        return taken

    @property
    def _fresh_start(self) -> int:
        return self._stop - (0 if self._fresh is None else self._fresh.shape[2])
