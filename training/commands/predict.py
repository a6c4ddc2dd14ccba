"""``python -m training predict``."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from model.checkpoint import Checkpoint
from model.segmenter import Segmenter
from training.data.dataset import Sample, VocDataset
from training.data.image_folder import ImageFolder, Photograph
from training.errors import DatasetError
from training.evaluation.contact_sheet import Row, draw_sheet
from training.evaluation.prediction_rows import compact_rows, full_rows
from training.evaluation.ranking import image_miou, rank
from training.progress import track

_SIDE, _COMPACT_SIDE = 320, 160


def predict(
    weights: Annotated[Path, typer.Argument(help="Checkpoint.")],
    data: Annotated[Path, typer.Argument(help="Data set in VOC layout, or a folder of images.")],
    out: Annotated[Path, typer.Argument(dir_okay=False, help="PNG to write.")],
    split: Annotated[str, typer.Option(help="List of a data set, ImageSets/Segmentation/SPLIT.txt.")] = "val",
    first: Annotated[
        int | None, typer.Option(min=0, show_default="0", help="Index of the first sample, from 0.")
    ] = None,
    count: Annotated[int | None, typer.Option(min=1, show_default="4", help="Number of samples.")] = None,
    step: Annotated[int | None, typer.Option(min=1, show_default="1", help="Draw every n-th sample.")] = None,
    best: Annotated[int, typer.Option(min=0, help="Number of samples with the highest mIoU to draw instead.")] = 0,
    worst: Annotated[int, typer.Option(min=0, help="Number of samples with the lowest mIoU to draw instead.")] = 0,
    hide_data: Annotated[
        bool, typer.Option("--hide-data", help="Draw neither images nor ground truth; see above.")
    ] = False,
    side: Annotated[
        int | None,
        typer.Option(
            min=32,
            show_default=f"{_SIDE}; {_COMPACT_SIDE} with --hide-data",
            help="Maximum side of a picture on the sheet, in pixels; pictures are never enlarged.",
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, ...; auto uses CUDA if available.")] = "auto",
) -> None:
    """Draw rows of image | prediction | ground truth, with a legend.

    Void, the pixels that are never scored, has VOC's pale colour and a white
    outline in the ground truth; the same outline is drawn over the prediction.

    DATA is a data set if it has the folder ImageSets or JPEGImages; masks are
    in SegmentationClassAug or SegmentationClass. In any other folder, the files
    are taken in order of name, and the rows are image | prediction. EXIF
    orientation is applied; files that are not images are reported and skipped.

    With ground truth, captions give the image's mIoU: the mean over the classes
    in its ground truth or its prediction, void excluded. --best and --worst
    score the whole list and draw the extremes, no image twice; images that are
    all void have no score and are skipped. These options cannot be combined
    with --first, --count and --step.

    --hide-data is for data that must not be shown: four samples per line, each
    as prediction | errors: grey is right, red wrong, pale void. Note that both
    together still reveal much of the ground truth.

    For example:

      python -m training predict last.safetensors data/voc2012 sheet.png --first 10
      python -m training predict last.safetensors data/voc2012 sheet.png
          --best 8 --worst 8 --hide-data
      python -m training predict last.safetensors holiday sheet.png --count 8
    """
    if (best or worst) and (first, count, step) != (None, None, None):
        raise typer.BadParameter("--best and --worst choose among all samples: give no --first, --count, --step")
    checkpoint = Checkpoint.load(weights)
    samples = _samples(data, split, checkpoint)
    first = first or 0
    if first >= len(samples):
        raise typer.BadParameter(f"there are {len(samples)} samples, counted from 0; none is number {first}")
    segmenter = Segmenter(checkpoint, device)
    groups: Mapping[str, Iterable[Sample | Photograph]]
    if best or worst:
        groups = _extremes(samples, segmenter, best, worst)
    else:
        groups = {"": islice(_readable(samples, first, step or 1), count or 4)}
    draw, default_side = (compact_rows, _COMPACT_SIDE) if hide_data else (full_rows, _SIDE)
    rows: list[Row] = []
    for heading, group in groups.items():
        rows += [heading] if heading else []
        rows += draw(group, segmenter, side or default_side)
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
    """Yield samples; an unreadable file is an error in a data set, but skipped in a folder of images."""
    for index in range(first, len(samples), step):
        try:
            yield samples[index]
        except DatasetError as error:
            if isinstance(samples, VocDataset):
                raise
            typer.echo(f"warning: {error}; skipped", err=True)


def _extremes(
    samples: VocDataset | ImageFolder, segmenter: Segmenter, best: int, worst: int
) -> dict[str, Iterator[Sample]]:
    """Return the samples with the highest and the lowest mIoU, by heading."""
    if isinstance(samples, ImageFolder):
        raise typer.BadParameter("--best and --worst need a data set with ground truth, not a folder of images")
    scores = []
    # Only scores are kept: all masks of a large data set might not fit into memory, and predicting a few again is fast.
    for index in track(range(len(samples)), f"scoring {samples.split}", len(samples)):
        sample = samples[index]
        scores.append(image_miou(sample.mask, segmenter.segment(sample.image).mask, len(samples.labels)))
    ranking = rank(scores, best, worst)
    groups = {"best": ranking.best, "worst": ranking.worst}
    if not any(groups.values()):
        raise DatasetError(f"nothing to rank: all pixels of {samples.root.name}/{samples.split} are void")
    return {f"{name} {len(group)}": (samples[index] for index in group) for name, group in groups.items() if group}
