"""``python -m training predict``."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from model.checkpoint import Checkpoint
from model.segmenter import Segmenter
from training.dataset import Sample, VocDataset
from training.errors import DatasetError
from training.image_folder import ImageFolder, Photograph
from training.pictures import Panel, mask_panel, photograph_panel
from training.sheet import draw_sheet


def predict(
    weights: Annotated[Path, typer.Argument(help="Checkpoint.")],
    data: Annotated[Path, typer.Argument(help="Data set in VOC layout, or a folder of images.")],
    out: Annotated[Path, typer.Argument(dir_okay=False, help="PNG to write.")],
    split: Annotated[str, typer.Option(help="List of a data set, ImageSets/Segmentation/SPLIT.txt.")] = "val",
    first: Annotated[int, typer.Option(min=0, help="Number of the first sample, from 0.")] = 0,
    count: Annotated[int, typer.Option(min=1, help="Number of samples.")] = 4,
    step: Annotated[int, typer.Option(min=1, help="Take every so many.")] = 1,
    side: Annotated[int, typer.Option(min=32, help="Longest side of a picture on the sheet; none is enlarged.")] = 320,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, ...; auto takes CUDA where there is some.")] = "auto",
) -> None:
    """Draw rows of image | prediction | ground truth, with a legend.

    Void, the pixels that are never scored, has VOC's pale colour and a white
    outline in the ground truth; the same outline lies over the prediction.

    DATA is a data set if it has the folder ImageSets or JPEGImages; masks lie in
    SegmentationClassAug or SegmentationClass. Any other folder's files are
    taken by name, and the rows are image | prediction: EXIF orientation is
    applied, files that are no images are named and left out.

    For example:

      python -m training predict last.safetensors data/voc2012 sheet.png --first 10
      python -m training predict last.safetensors holiday sheet.png --count 8
    """
    checkpoint = Checkpoint.load(weights)
    samples = _samples(data, split, checkpoint)
    if first >= len(samples):
        raise typer.BadParameter(f"there are {len(samples)} samples, counted from 0; none is number {first}")
    segmenter = Segmenter(checkpoint, device)
    rows = [_row(sample, segmenter, side) for sample in islice(_readable(samples, first, step), count)]
    if not rows:
        raise DatasetError(f"no file of {data} that was tried can be read as an image")
    out.parent.mkdir(parents=True, exist_ok=True)
    draw_sheet(rows, checkpoint.labels).save(out, "PNG")
    print(out)


def _samples(data: Path, split: str, checkpoint: Checkpoint) -> VocDataset | ImageFolder:
    if (data / "ImageSets").is_dir() or (data / "JPEGImages").is_dir():
        return VocDataset(data, split, checkpoint.labels)
    return ImageFolder(data)


def _readable(samples: VocDataset | ImageFolder, first: int, step: int) -> Iterator[Sample | Photograph]:
    """A data set is to be whole; of a folder, what can be read."""
    for index in range(first, len(samples), step):
        try:
            yield samples[index]
        except DatasetError as error:
            if isinstance(samples, VocDataset):
                raise
            typer.echo(f"warning: {error}; left out", err=True)


def _row(sample: Sample | Photograph, segmenter: Segmenter, side: int) -> list[Panel]:
    labels, box = segmenter.checkpoint.labels, (side, side)
    prediction = segmenter.segment(sample.image).mask
    photograph = photograph_panel(sample.image, box, sample.name)
    if isinstance(sample, Photograph):
        return [photograph, mask_panel(prediction, labels, box, "prediction")]
    return [
        photograph,
        mask_panel(prediction, labels, box, "prediction", truth=sample.mask),
        mask_panel(sample.mask, labels, box, "ground truth"),
    ]
