"""A network as a list of operations."""

from dataclasses import dataclass

from model.streaming.operations import Operation


@dataclass(frozen=True, slots=True)
class Step:
    """One operation.

    Attributes:
        operation: what is done.
        inputs: numbers of the values it reads: 0 is the program's input, n the output of its n-th step.
    """

    operation: Operation
    inputs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
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
