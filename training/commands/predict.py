"""``python -m training predict``."""

from pathlib import Path
from typing import Annotated

import typer

from model.checkpoint import Checkpoint
from model.segmenter import Segmenter
from training.dataset import VocDataset
from training.pictures import comparison, one_below_the_other


def predict(
    weights: Annotated[Path, typer.Argument(help="Checkpoint.")],
    data: Annotated[Path, typer.Argument(help="Data set in VOC layout.")],
    out: Annotated[Path, typer.Argument(help="PNG to write.")],
    split: Annotated[str, typer.Option(help="Its list.")] = "val",
    first: Annotated[int, typer.Option(min=0, help="Number of the first sample.")] = 0,
    count: Annotated[int, typer.Option(min=1, help="Number of samples.")] = 4,
    step: Annotated[int, typer.Option(min=1, help="Take every so many.")] = 1,
    device: str = "auto",
) -> None:
    """Draw rows of image | prediction | ground truth."""
    checkpoint = Checkpoint.load(weights)
    segmenter = Segmenter(checkpoint, device)
    dataset = VocDataset(data, split, checkpoint.labels)
    samples = [dataset[index] for index in range(first, len(dataset), step)[:count]]
    if not samples:
        raise typer.BadParameter(f"the list names {len(dataset)} samples; none is number {first}")
    one_below_the_other(
        [
            comparison(sample.image, segmenter.segment(sample.image).mask, sample.mask, checkpoint.labels)
            for sample in samples
        ]
    ).save(out)
