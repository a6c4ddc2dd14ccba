"""``python -m training teach``."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from tqdm import tqdm

from model.labels import VOC
from training.dataset import VocDataset
from training.knowledge import hold_to, load_knowledge
from training.soft_labels import SoftLabels
from training.teacher import CheckpointTeacher, Teacher, WindowTeacher


def teach(
    teacher: Annotated[Path, typer.Argument(help="A checkpoint, or a .tflite network of VOC's 21 classes.")],
    data: Annotated[Path, typer.Argument(help="Data set in VOC layout; it needs no masks.")],
    out: Annotated[Path, typer.Argument(help="Folder for the soft labels, one .npz file an image.")],
    split: Annotated[str, typer.Option(help="Its list.")] = "train",
    known: Annotated[
        Path | None,
        typer.Option(
            help="JSON file: image name -> {width, height, image_class, boxes: [{class, xyxy}]}; what it rules "
            "out is taken from the soft labels."
        ),
    ] = None,
    device: str = "auto",
) -> None:
    """Write a teacher's soft labels of a list of images, for training with loss.distillation.

    They are named by data.sources: soft_labels = OUT. Files that are there already are kept, so a run that was stopped
    goes on.
    """
    network = _teacher(teacher, device)
    dataset = VocDataset(data, split, network.labels, labelled=False)
    knowledge = {} if known is None else load_knowledge(known)
    out.mkdir(parents=True, exist_ok=True)
    for index, name in enumerate(tqdm(dataset.names, unit="image")):
        file = out / f"{name}.npz"
        if file.exists():
            continue
        probabilities = network.probabilities(dataset[index].image)
        if name in knowledge:
            probabilities = hold_to(knowledge[name], probabilities, network.labels)
        SoftLabels(np.rint(probabilities * 255).astype(np.uint8)).save(file)


def _teacher(file: Path, device: str) -> Teacher:
    return WindowTeacher(file, VOC) if file.suffix == ".tflite" else CheckpointTeacher(file, device)
