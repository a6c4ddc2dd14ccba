"""``python -m training evaluate``."""

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from model.checkpoint import Checkpoint
from model.precision import Precision
from model.segmenter import Segmenter
from model.tiling import Tiling, TilingLimits
from training.data.dataset import VocDataset
from training.evaluation.augmented_prediction import Views
from training.evaluation.benchmark import Benchmark, images_scored, report, require_voc2012
from training.evaluation.confusion_figure import save_confusion_picture
from training.evaluation.evaluation import Evaluation, totals_table
from training.evaluation.evaluation import evaluate as evaluate_dataset

_MODES = [Tiling.AUTO]
_SCALES = [1.0]


def evaluate(
    weights: Annotated[Path, typer.Argument(help="Checkpoint.")],
    data: Annotated[
        Path,
        typer.Argument(
            help="Data set in VOC layout: folders JPEGImages, SegmentationClassAug or SegmentationClass, and "
            "ImageSets/Segmentation."
        ),
    ],
    split: Annotated[str, typer.Option(help="List of images, ImageSets/Segmentation/SPLIT.txt.")] = "val",
    mode: Annotated[
        list[Tiling],
        typer.Option(
            help="How to cut images. whole: one forward pass. exact: bands of rows, same result as whole. overlap: "
            "overlapping rectangles, averaged. auto: whole up to a megapixel, else exact. Give several to compare them."
        ),
    ] = _MODES,
    band_pixels: Annotated[int, typer.Option(help="Pixels per band in mode exact.")] = TilingLimits().band_pixels,
    flip: Annotated[bool, typer.Option("--flip", help="Average with the mirror image's probabilities.")] = False,
    scale: Annotated[
        list[float],
        typer.Option(min=0.1, max=4, help="Scale factor of the image; give several to average their probabilities."),
    ] = _SCALES,
    classes: Annotated[str, typer.Option(help="Comma-separated class names: also print their mean IoU.")] = "",
    benchmark: Annotated[
        Benchmark | None,
        typer.Option(help="Score by a benchmark's rules, and compare with published scores; see above."),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", dir_okay=False, help="Also write the scores to this file; see above.")
    ] = None,
    confusion: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Draw the first mode's confusion matrix to this PNG.")
    ] = None,
    precision: Annotated[
        Precision, typer.Option(help="Precision to predict in; int8 needs a checkpoint exported with --calibrate.")
    ] = Precision.FLOAT32,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, ...; auto uses CUDA if available.")] = "auto",
) -> None:
    """Score a checkpoint on a list of a data set, at original resolution.

    One confusion matrix counts the pixels of all images, background included,
    pixels of index 255 excluded. It gives each class's IoU and accuracy (share
    of its pixels found), and their means over the classes that occur in the
    list, mIoU and mean accuracy. Boundary IoU (arXiv:2103.16562) is the IoU of
    the bands along the outlines, 2% of the image's diagonal wide.

    --benchmark voc2012 prints the score that is published for VOC 2012 val:
    the mean IoU of its 21 classes at original size, void excluded; how many of
    the list's 1,449 images were scored; and each class's IoU beside those of
    published networks. It needs VOC's classes and names; other lists than val
    are scored by the same rules, but reported as not official.

    The JSON file holds the first mode's scores (0 to 1; null if there is
    nothing to measure): checkpoint (SHA-256), precision, split, images, tiling,
    scales, flip, pixel_accuracy, mean_accuracy, miou, boundary_iou,
    miou_chosen, chosen, classes (index, name, iou, boundary_iou, accuracy, images, pixels)
    and confusion (pixels: a row is a true class, a column a predicted one);
    benchmark (in words, with --benchmark);
    and other_modes, a list with the same fields for each further mode.

    For example:

      python -m training evaluate last.safetensors data/voc2012 --json scores.json
      python -m training evaluate last.safetensors data/voc2012
          --mode whole --mode exact --mode overlap
      python -m training evaluate last.safetensors data/voc2012
          --flip --scale 0.75 --scale 1 --scale 1.25
      python -m training evaluate last.safetensors data/voc2012 --benchmark voc2012
    """
    if precision is Precision.AUTO:
        raise typer.BadParameter("auto chooses by scores, which are for one precision: give float32, bfloat16 or int8")
    checkpoint = Checkpoint.load(weights)
    chosen = tuple(name for name in classes.split(",") if name)
    unknown = set(chosen) - set(checkpoint.labels.names)
    if unknown:
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}: no such class")
    dataset = VocDataset(data, split, checkpoint.labels)
    if benchmark is not None:
        require_voc2012(dataset, checkpoint.labels)
    segmenter = Segmenter(checkpoint, device, TilingLimits(band_pixels=band_pixels), precision)
    # On a GPU, PyTorch would otherwise round the operands of float32 convolutions to TF32.
    torch.backends.cudnn.allow_tf32 = False
    views = Views(tuple(scale), flip)
    results = [evaluate_dataset(segmenter, dataset, tiling, chosen, views) for tiling in dict.fromkeys(mode)]
    print(results[0].table())
    if len(results) > 1:
        print(totals_table(results))
    scored = {} if benchmark is None else {"benchmark": images_scored(results[0], split)}
    if benchmark is not None:
        print(f"\n{report(results[0], split)}")
    if json_file is not None:
        _write_json(results, json_file, scored)
    if confusion is not None:
        confusion.parent.mkdir(parents=True, exist_ok=True)
        save_confusion_picture(np.array(results[0].confusion), checkpoint.labels.names, confusion)


def _write_json(results: list[Evaluation], file: Path, further: dict[str, str]) -> None:
    first, *others = [result.document() for result in results]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(first | further | {"other_modes": others}, indent=2) + "\n")
