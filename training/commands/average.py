"""``python -m training average``."""

from pathlib import Path
from typing import Annotated

import typer

from model.checkpoint import Checkpoint
from training.export.average import average as average_checkpoints


def average(
    weights: Annotated[list[Path], typer.Argument(help="Checkpoints of one network, two or more.")],
    out: Annotated[Path, typer.Argument(help="Checkpoint to write.")],
) -> None:
    """Average the weights of two or more checkpoints.

    If one was trained from the other, or both from the same start, the mean
    often predicts new images better than each. Evaluate it on images that
    are not your test list, then export it: OUT has no scores, golden image
    and ranges for int8. Its name and settings are those of the last one.

    For example:

      python -m training average before.safetensors after.safetensors mean.safetensors
    """
    if len(weights) < 2:
        raise typer.BadParameter("a mean takes two checkpoints or more, and the file to write")
    average_checkpoints([Checkpoint.load(file) for file in weights]).save(out)
    print(out)
