"""``python -m training soft-labels``."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from model.labels import VOC
from training.data.dataset import VocDataset
from training.data.soft_labels import SoftLabels
from training.evaluation.augmented_prediction import Views
from training.fit.teacher import CheckpointTeacher, Teacher, TFLiteTeacher
from training.fit.weak_labels import constrain, load_weak_labels
from training.progress import track

_SCALES = [1.0]


def soft_labels(
    teacher: Annotated[Path, typer.Argument(help="A checkpoint, or a .tflite network of VOC's 21 classes.")],
    data: Annotated[Path, typer.Argument(help="Data set in VOC layout; it needs no masks.")],
    out: Annotated[Path, typer.Argument(help="Folder for the soft labels, one .npz file per image.")],
    split: Annotated[str, typer.Option(help="List of images, ImageSets/Segmentation/SPLIT.txt.")] = "train",
    weak_labels: Annotated[
        Path | None,
        typer.Option(
            help="JSON file: image name -> {width, height, image_class, boxes: [{class, xyxy}]}. Classes are confined "
            "to their boxes and raised there; everything outside the boxes is background."
        ),
    ] = None,
    scale: Annotated[
        list[float],
        typer.Option(
            min=0.25,
            max=8,
            help="For .tflite networks: at 1 the image's longer side fills the network's input; larger scales use "
            "overlapping windows; give several to average them.",
        ),
    ] = _SCALES,
    flip: Annotated[bool, typer.Option(help="For .tflite networks: average with the mirror image.")] = True,
    device: Annotated[str, typer.Option(help="For checkpoints: cpu, cuda, cuda:1, ...")] = "auto",
) -> None:
    """Write a teacher's soft labels for a list of images, for training with loss.distillation.

    To use them, set soft_labels = OUT in data.sources. Existing files are kept, so an interrupted run can be resumed.

    For example:

      python -m training soft-labels deeplab.tflite data/boxes data/soft_boxes
          --split all --weak-labels data/boxes/labels.json --scale 1 --scale 1.5
    """
    network = _teacher(teacher, Views(tuple(scale), flip), device)
    dataset = VocDataset(data, split, network.labels, labelled=False)
    known = {} if weak_labels is None else load_weak_labels(weak_labels)
    out.mkdir(parents=True, exist_ok=True)
    for index, name in enumerate(track(dataset.names, "soft labels", len(dataset))):
        file = out / f"{name}.npz"
        if file.exists():
            continue
        probabilities = network.probabilities(dataset[index].image)
        if name in known:
            probabilities = constrain(known[name], probabilities, network.labels)
        SoftLabels(np.rint(probabilities * 255).astype(np.uint8)).save(file)


def _teacher(file: Path, views: Views, device: str) -> Teacher:
    return TFLiteTeacher(file, VOC, views) if file.suffix == ".tflite" else CheckpointTeacher(file, device)
