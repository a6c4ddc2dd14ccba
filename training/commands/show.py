"""``python -m training show``."""

from pathlib import Path
from typing import Annotated

import typer

from model.labels import VOC
from training.data.dataset import VocDataset
from training.data.labels_file import load_labels
from training.evaluation.contact_sheet import draw_sheet
from training.evaluation.panels import Panel, mask_panel, photograph_panel

_PER_ROW = 5


def show(
    data: Annotated[
        Path,
        typer.Argument(
            help="Data set in VOC layout: folders JPEGImages, SegmentationClassAug or SegmentationClass, and "
            "ImageSets/Segmentation."
        ),
    ],
    out: Annotated[Path, typer.Argument(dir_okay=False, help="PNG to write.")],
    split: Annotated[str, typer.Option(help="List of images, ImageSets/Segmentation/SPLIT.txt.")] = "train",
    count: Annotated[int, typer.Option(min=1, help="Number of samples, from the start of the list.")] = 5,
    height: Annotated[
        int, typer.Option(min=32, help="Maximum height of a picture on the sheet, in pixels; never enlarged.")
    ] = 240,
    labels: Annotated[
        Path | None, typer.Option(help="TOML file of your classes' names and colours; default: VOC's 21.")
    ] = None,
) -> None:
    """Draw the first images of a list with their masks in colour below them, and a legend.

    Void, the pixels that are neither trained on nor scored, has VOC's pale
    colour and a white outline. There are 5 images per row.

    Custom classes are defined in a file, in the order of their indices:

      classes = [
          {name = "background", color = [0, 0, 0]},
          {name = "leaf", color = [0, 160, 60]},
      ]

    For example:

      python -m training show data/voc2012 samples.png --count 5
      python -m training show data/leaves samples.png --labels leaves.toml
    """
    classes = VOC if labels is None else load_labels(labels)
    dataset = VocDataset(data, split, classes)
    samples = [dataset[index] for index in range(min(count, len(dataset)))]
    box = (height, 3 * height)
    rows: list[list[Panel]] = []
    for start in range(0, len(samples), _PER_ROW):
        block = samples[start : start + _PER_ROW]
        rows.append([photograph_panel(sample.image, box, sample.name) for sample in block])
        rows.append([mask_panel(sample.mask, classes, box) for sample in block])
    out.parent.mkdir(parents=True, exist_ok=True)
    draw_sheet(rows, classes).save(out, "PNG")
    print(out)
