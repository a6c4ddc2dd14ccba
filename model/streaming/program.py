"""A network as a list of operations."""

from dataclasses import dataclass, field

from model.streaming.schedule import waiting_rows
from model.streaming.step import Step

_REHEARSAL_ROWS = 2048
"""Rows of the simulated image that determines how many rows wait: more than any network's receptive field."""


@dataclass(frozen=True)
class Program:
    """Steps in execution order; the last step's output is the program's."""

    steps: tuple[Step, ...]
    _waiting_rows: dict[int, list[int]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def total(self, rows: int) -> int:
        """Return the number of output rows for an input with ``rows`` rows."""
        return self.totals(rows)[-1]

    def totals(self, rows: int) -> list[int]:
        """Return the number of rows of every value, for an input with ``rows`` rows."""
        totals = [rows]
        for step in self.steps:
            totals.append(step.operation.geometries[0].total(totals[step.inputs[0]]))
        return totals

    def transposed(self) -> "Program":
        """Return the program that computes the transposed result from a transposed image."""
        return Program(tuple(Step(step.operation.transposed(), step.inputs) for step in self.steps))

    def waiting_rows(self, band_rows: int) -> list[int]:
        """Return roughly how many rows of each value wait at most for others, in a high image fed in such bands."""
        if band_rows not in self._waiting_rows:
            totals = self.totals(max(_REHEARSAL_ROWS, 6 * band_rows))
            self._waiting_rows[band_rows] = waiting_rows(self.steps, totals, band_rows)
        return self._waiting_rows[band_rows]
