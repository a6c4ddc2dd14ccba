"""Scores of a checkpoint on a data set, at original resolution."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from tqdm import tqdm

from model.labels import IGNORE_INDEX, Labels
from model.segmenter import Segmenter
from model.tiling import Tiling
from training.dataset import Sample, VocDataset
from training.metrics import ConfusionMatrix


@dataclass(frozen=True, slots=True)
class ClassScore:
    """One class's score.

    Attributes:
        index, name: of the class.
        iou: intersection over union, 0..1; None if the class occurs in neither masks nor predictions.
        accuracy: share of its pixels found, 0..1; None if it has none.
        images, pixels: in the true masks.
    """

    index: int
    name: str
    iou: float | None
    accuracy: float | None
    images: int
    pixels: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores over a data set.

    Attributes:
        split: the list that was scored.
        images: number of images.
        tiling: how they were cut.
        pixel_accuracy: share of known pixels predicted right.
        mean_accuracy: mean of the classes' accuracies.
        miou: mean IoU over the classes in the true masks.
        miou_chosen: mean IoU over ``chosen``; None if none were chosen.
        chosen: names of the classes of ``miou_chosen``.
        classes: each class.
    """

    split: str
    images: int
    tiling: Tiling
    pixel_accuracy: float
    mean_accuracy: float
    miou: float
    miou_chosen: float | None
    chosen: tuple[str, ...]
    classes: tuple[ClassScore, ...]

    def table(self) -> str:
        """For people."""
        rows = [f"{'class':12} {'IoU':>6} {'acc':>6} {'images':>7} {'pixels':>10}"]
        for score in self.classes:
            iou, accuracy = (_percent(value) for value in (score.iou, score.accuracy))
            rows.append(f"{score.name:12} {iou:>6} {accuracy:>6} {score.images:7} {score.pixels:10}")
        rows.append(f"{self.split}: {self.images} images, tiling {self.tiling.value}")
        rows.append(f"pixel accuracy {self.pixel_accuracy:.4f}, mean accuracy {self.mean_accuracy:.4f}")
        rows.append(f"mIoU over the {sum(score.images > 0 for score in self.classes)} classes present {self.miou:.4f}")
        if self.miou_chosen is not None:
            rows.append(f"mIoU over {', '.join(self.chosen)} {self.miou_chosen:.4f}")
        return "\n".join(rows)

    def document(self) -> dict[str, object]:
        """As JSON values."""
        return asdict(self)


def evaluate(
    segmenter: Segmenter, dataset: VocDataset, tiling: Tiling = Tiling.AUTO, chosen: Sequence[str] = ()
) -> Evaluation:
    """Predict every image of a data set and compare; pixels of index 255 are left out."""
    labels = dataset.labels
    matrix = ConfusionMatrix(len(labels))
    images_of_class = np.zeros(len(labels), dtype=np.int64)
    samples: Iterable[Sample] = (dataset[index] for index in range(len(dataset)))
    for sample in tqdm(samples, total=len(dataset), unit="image"):
        matrix.update(sample.mask, segmenter.segment(sample.image, tiling=tiling).mask)
        present = np.unique(sample.mask)
        images_of_class[present[present != IGNORE_INDEX]] += 1
    present_classes = np.flatnonzero(images_of_class).tolist()
    return Evaluation(
        split=f"{dataset.root.name}/{dataset.split}",
        images=len(dataset),
        tiling=tiling,
        pixel_accuracy=matrix.pixel_accuracy,
        mean_accuracy=matrix.mean_accuracy,
        miou=matrix.miou(present_classes),
        miou_chosen=matrix.miou([labels.names.index(name) for name in chosen]) if chosen else None,
        chosen=tuple(chosen),
        classes=_class_scores(labels, matrix, images_of_class.tolist()),
    )


def _class_scores(labels: Labels, matrix: ConfusionMatrix, images: Sequence[int]) -> tuple[ClassScore, ...]:
    return tuple(
        ClassScore(
            index, name, _number(matrix.iou[index]), _number(matrix.class_accuracy[index]), images[index], pixels
        )
        for index, (name, pixels) in enumerate(zip(labels.names, matrix.true_pixels.tolist(), strict=True))
    )


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
