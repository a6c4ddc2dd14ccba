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
    out: Annotated[Path, typer.Argument(help="Folder for the soft labels, one .npz file an image.")],
    split: Annotated[str, typer.Option(help="Its list, ImageSets/Segmentation/SPLIT.txt.")] = "train",
    weak_labels: Annotated[
        Path | None,
        typer.Option(
            help="JSON file: image name -> {width, height, image_class, boxes: [{class, xyxy}]}. Classes are kept "
            "inside their boxes and raised there; what is in no box is background."
        ),
    ] = None,
    scale: Annotated[
        list[float],
        typer.Option(
            min=0.25,
            max=8,
            help="Of .tflite networks: at 1 the image's longer side fills the network's input, larger images are seen "
            "through overlapping windows; give several to average them.",
        ),
    ] = _SCALES,
    flip: Annotated[bool, typer.Option(help="Of .tflite networks: average with the mirror image.")] = True,
    device: Annotated[str, typer.Option(help="Of checkpoints: cpu, cuda, cuda:1, ...")] = "auto",
) -> None:
    """Write a teacher's soft labels of a list of images, for training with loss.distillation.

    data.sources names their folder: soft_labels = OUT. Files that exist are kept, so a run that was stopped goes on.

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
