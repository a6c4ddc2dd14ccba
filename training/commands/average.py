"""``python -m training average``."""

from pathlib import Path
from typing import Annotated

import typer

from model.checkpoint import Checkpoint
from training.export.average import average as average_checkpoints


def average(
    weights: Annotated[list[Path], typer.Argument(help="Checkpoints of one network, two or more.")],
    out: Annotated[Path, typer.Option(dir_okay=False, help="Checkpoint to write.")],
) -> None:
    """Average the weights of two or more checkpoints.

    If one was trained from the other, or both from the same start, the mean
    may predict new images better than each: evaluate it. Its name and
    settings are those of the last one. It has no scores, golden image or
    ranges for int8: export it next, with a summary that says what it is.

    For example:

      python -m training average before.safetensors after.safetensors
          --out mean.safetensors
    """
    if len(weights) < 2:
        raise typer.BadParameter("a mean takes two checkpoints or more")
    average_checkpoints([Checkpoint.load(file) for file in weights]).save(out)
    print(out)
