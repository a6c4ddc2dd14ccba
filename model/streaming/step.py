"""One operation of a program."""

from dataclasses import dataclass

from model.streaming.operations import Operation


@dataclass(frozen=True, slots=True)
class Step:
    """An operation and its inputs.

    Attributes:
        operation: the operation to run.
        inputs: numbers of the values it reads: 0 is the program's input, n the output of its n-th step.
    """

    operation: Operation
    inputs: tuple[int, ...]
