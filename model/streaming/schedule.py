"""Which rows of each value can be computed when, and which are still needed; row numbers only, no tensors."""

from collections.abc import Sequence

from model.streaming.rows import Geometry
from model.streaming.step import Step


class Schedule:
    """Progress of one image through a program.

    Args:
        steps: steps of the program.
        totals: number of rows of every value, by its number; 0 is the image.

    Attributes:
        stops: number of rows computed so far, of every value.
    """

    def __init__(self, steps: Sequence[Step], totals: Sequence[int]) -> None:
        self.stops = [0] * len(totals)
        self._steps = steps
        self._totals = totals
        self._most_fed = 0
        self._readers: list[list[tuple[int, Geometry]]] = [[] for _ in totals]
        for number, step in enumerate(steps, start=1):
            for source, geometry in zip(step.inputs, step.operation.geometries, strict=True):
                self._readers[source].append((number, geometry))

    def feed(self, rows: int) -> None:
        """Record that the image's next rows have been fed."""
        self.stops[0] += rows
        self._most_fed = max(self._most_fed, rows)

    def wanted(self, number: int) -> range:
        """Return a value's next rows that can be computed, at most its share for the highest band; may be empty."""
        stops, totals = self.stops, self._totals
        operation, start, total = self._steps[number - 1].operation, stops[number], totals[number]
        ready = min(
            total if stops[source] == totals[source] else geometry.ready(stops[source])
            for source, geometry in zip(self._steps[number - 1].inputs, operation.geometries, strict=True)
        )
        multiple = operation.row_multiple
        share = -(-total * self._most_fed // totals[0])
        stop = min(ready, start + max(multiple, share))
        if stop < total:
            stop -= stop % multiple
        return range(start, max(start, stop))

    def needed(self, number: int) -> int:
        """Return the first row of a value on which rows not yet computed depend."""
        stop = self.stops[number]
        first = stop if self._readers[number] else 0
        for reader, geometry in self._readers[number]:
            done = self.stops[reader]
            if done < self._totals[reader]:
                first = min(first, max(0, geometry.needed(range(done, done + 1)).start))
        return first

    def read_for_the_last_time(self, number: int) -> list[int]:
        """Return the values whose last reader, within one round, is the step that computes this value."""
        return [source for source in {*self._steps[number - 1].inputs} if self._readers[source][-1][0] == number]


def waiting_rows(steps: Sequence[Step], totals: Sequence[int], band_rows: int) -> list[int]:
    """Return how many rows of each value wait at most for others, if the image is fed in such bands."""
    schedule = Schedule(steps, totals)
    most = [0] * len(totals)
    while (left := totals[0] - schedule.stops[0]) > 0:
        schedule.feed(min(band_rows, left))
        has_advanced = True
        while has_advanced:
            has_advanced = False
            for number in range(1, len(totals)):
                wanted = schedule.wanted(number)
                schedule.stops[number] = wanted.stop
                has_advanced |= len(wanted) > 0
                for source in schedule.read_for_the_last_time(number):
                    most[source] = max(most[source], schedule.stops[source] - schedule.needed(source))
    return most
