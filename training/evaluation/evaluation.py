"""Scores of a checkpoint on a data set, at original resolution."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from model.labels import IGNORE_INDEX, Labels
from model.precision import Precision
from model.segmenter import Segmenter
from model.tiling import Tiling
from training.data.dataset import Sample, VocDataset
from training.evaluation.augmented_prediction import PLAIN, Views, predict_mask
from training.evaluation.boundary import BoundaryIoU
from training.evaluation.metrics import ConfusionMatrix
from training.progress import track


@dataclass(frozen=True, slots=True)
class ClassScore:
    """Scores of one class.

    Attributes:
        iou: intersection over union, 0..1; None if the class occurs in neither masks nor predictions.
        boundary_iou: IoU of the bands along the boundaries.
        accuracy: share of its pixels found, 0..1; None if it has none.
        images, pixels: number of true masks that show the class, and number of its pixels in them.
    """

    index: int
    name: str
    iou: float | None
    boundary_iou: float | None
    accuracy: float | None
    images: int
    pixels: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores over a data set. Scores are in 0..1, NaN if there was nothing to measure.

    Attributes:
        checkpoint: SHA-256 of the scored file; empty if the checkpoint was not read from a file.
        precision: precision of the predictions.
        split: name of the scored list.
        images: number of images.
        tiling: tiling of the images.
        scales, flip: the views of each image whose probabilities were averaged.
        pixel_accuracy: share of known pixels predicted correctly.
        mean_accuracy: mean of the classes' accuracies.
        miou: mean IoU over the classes in the true masks.
        boundary_iou: mean boundary IoU over the same classes.
        miou_chosen: mean IoU over ``chosen``; None if none were chosen.
        chosen: names of the classes of ``miou_chosen``.
        classes: scores of each class.
        confusion: K rows of K pixel counts; the row is the true class, the column the predicted one.
    """

    checkpoint: str
    precision: Precision
    split: str
    images: int
    tiling: Tiling
    scales: tuple[float, ...]
    flip: bool
    pixel_accuracy: float
    mean_accuracy: float
    miou: float
    boundary_iou: float
    miou_chosen: float | None
    chosen: tuple[str, ...]
    classes: tuple[ClassScore, ...]
    confusion: tuple[tuple[int, ...], ...]

    def table(self) -> str:
        """Format the scores as a text table."""
        width = max(len(score.name) for score in self.classes)
        rows = [f"{'class':{width}} {'IoU':>6} {'boundary':>8} {'acc':>6} {'images':>7} {'pixels':>10}"]
        for score in self.classes:
            iou, boundary, accuracy = (_percent(value) for value in (score.iou, score.boundary_iou, score.accuracy))
            rows.append(f"{score.name:{width}} {iou:>6} {boundary:>8} {accuracy:>6} {score.images:7} {score.pixels:10}")
        rows.append(f"{self.split}: {self.images} images, tiling {self.tiling.value}{self._views()}")
        if self.checkpoint:
            rows.append(f"checkpoint {self.checkpoint}")
        rows.append(f"pixel accuracy {self.pixel_accuracy:.4f}, mean accuracy {self.mean_accuracy:.4f}")
        present = sum(score.images > 0 for score in self.classes)
        rows.append(f"mIoU over the {present} classes present {self.miou:.4f}, boundary IoU {self.boundary_iou:.4f}")
        if self.miou_chosen is not None:
            rows.append(f"mIoU over {', '.join(self.chosen)} {self.miou_chosen:.4f}")
        return "\n".join(rows)

    def _views(self) -> str:
        scales = "" if self.scales == (1.0,) else f", scales {', '.join(f'{scale:g}' for scale in self.scales)}"
        precision = "" if self.precision is Precision.FLOAT32 else f", {self.precision.value}"
        return precision + scales + (", flipped too" if self.flip else "")

    def document(self) -> dict[str, object]:
        """Return the scores as JSON values; NaN becomes null."""
        return {name: _number(value) if isinstance(value, float) else value for name, value in asdict(self).items()}


def totals_table(evaluations: Sequence[Evaluation]) -> str:
    """Format the means of several evaluations of one split as a text table, one row each."""
    chosen = evaluations[0].chosen
    rows = [
        f"{'tiling':8} {'pixel acc':>9} {'mean acc':>9} {'mIoU':>9} {'boundary':>9}" + " mIoU chosen" * bool(chosen)
    ]
    for one in evaluations:
        totals = [one.pixel_accuracy, one.mean_accuracy, one.miou, one.boundary_iou]
        row = f"{one.tiling.value:8} " + " ".join(f"{total:9.4f}" for total in totals)
        rows.append(row if one.miou_chosen is None else f"{row} {one.miou_chosen:11.4f}")
    return "\n".join(rows)


def evaluate(
    segmenter: Segmenter,
    dataset: VocDataset,
    tiling: Tiling = Tiling.AUTO,
    chosen: Sequence[str] = (),
    views: Views = PLAIN,
) -> Evaluation:
    """Predict every image of a data set and compare with its mask; pixels of index 255 are ignored.

    Args:
        segmenter: segmenter to score.
        dataset: samples to score it on.
        tiling: tiling of the images.
        chosen: names of classes whose mean IoU is computed in addition.
        views: views of each image, whose probabilities are averaged.

    Raises:
        DatasetError: a sample cannot be read.
        TilingError: an image is too large for this tiling.
    """
    labels = dataset.labels
    matrix, boundary = ConfusionMatrix(len(labels)), BoundaryIoU(len(labels))
    images_of_class = np.zeros(len(labels), dtype=np.int64)
    samples: Iterable[Sample] = (dataset[index] for index in range(len(dataset)))
    for sample in track(samples, f"scoring {dataset.root.name}/{dataset.split}", len(dataset)):
        mask = predict_mask(segmenter, sample.image, tiling, views)
        matrix.update(sample.mask, mask)
        boundary.update(sample.mask, mask)
        present = np.unique(sample.mask)
        images_of_class[present[present != IGNORE_INDEX]] += 1
    present_classes = np.flatnonzero(images_of_class).tolist()
    return Evaluation(
        checkpoint=segmenter.checkpoint.digest,
        precision=segmenter.precision,
        split=f"{dataset.root.name}/{dataset.split}",
        images=len(dataset),
        tiling=tiling,
        scales=views.scales,
        flip=views.flip,
        pixel_accuracy=matrix.pixel_accuracy,
        mean_accuracy=matrix.mean_accuracy,
        miou=matrix.miou(present_classes),
        boundary_iou=boundary.mean(present_classes),
        miou_chosen=matrix.miou([labels.names.index(name) for name in chosen]) if chosen else None,
        chosen=tuple(chosen),
        classes=_class_scores(labels, matrix, boundary, images_of_class.tolist()),
        confusion=tuple(tuple(row) for row in matrix.counts.tolist()),
    )


def _class_scores(
    labels: Labels, matrix: ConfusionMatrix, boundary: BoundaryIoU, images: Sequence[int]
) -> tuple[ClassScore, ...]:
    iou, boundary_iou, accuracy = matrix.iou, boundary.iou, matrix.class_accuracy
    return tuple(
        ClassScore(
            index=index,
            name=name,
            iou=_number(iou[index]),
            boundary_iou=_number(boundary_iou[index]),
            accuracy=_number(accuracy[index]),
            images=images[index],
            pixels=int(matrix.true_pixels[index]),
        )
        for index, name in enumerate(labels.names)
    )


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
