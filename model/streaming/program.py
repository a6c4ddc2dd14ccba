"""A network as a list of operations."""

from dataclasses import dataclass
from functools import cached_property

from model.streaming.schedule import waiting_rows
from model.streaming.step import Step

_REHEARSAL_ROWS = 2048
"""Rows of the image that tells how many rows wait: more than any network here sees."""

_REHEARSAL_BAND_ROWS = 32
"""Rows of its bands: the fewest that there are."""


@dataclass(frozen=True)
class Program:
    """Steps in an order in which they can be done; the last one's output is the program's."""

    steps: tuple[Step, ...]

    def total(self, rows: int) -> int:
        """Rows of the output of an input of so many rows."""
        return self.totals(rows)[-1]

    def totals(self, rows: int) -> list[int]:
        """Rows of every value, for an input of so many rows."""
        totals = [rows]
        for step in self.steps:
            totals.append(step.operation.geometries[0].total(totals[step.inputs[0]]))
        return totals

    def transposed(self) -> "Program":
        """The program that gives the transposed result of a transposed image."""
        return Program(tuple(Step(step.operation.transposed(), step.inputs) for step in self.steps))

    @cached_property
    def waiting_rows(self) -> list[int]:
        """How many rows of each value wait at most for others in a high image, but for a few."""
        return waiting_rows(self.steps, self.totals(_REHEARSAL_ROWS), _REHEARSAL_BAND_ROWS)
