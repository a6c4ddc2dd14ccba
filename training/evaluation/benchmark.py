"""The official score of a published benchmark, beside published scores of other networks."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from model.labels import VOC, Labels
from training.data.dataset import VocDataset
from training.errors import DatasetError
from training.evaluation.evaluation import Evaluation

VOC2012_VAL_IMAGES = 1449
"""Number of names in VOC 2012's ``ImageSets/Segmentation/val.txt``.

Source: http://host.robots.ox.ac.uk/pascal/VOC/voc2012/dbstats.html, statistics of the segmentation image sets. Only the
number is stored here, so a partial list is recognised only by its length and the form of its names.
"""

_VOC_NAME = re.compile(r"20(?:07|08|09|10|11)_\d{6}")


class Benchmark(StrEnum):
    """Benchmarks whose rules ``evaluate`` implements."""

    VOC2012 = "voc2012"


@dataclass(frozen=True, slots=True)
class Anchor:
    """A published score.

    Attributes:
        name: name of the network.
        column: short name, for a column's heading.
        measured_on: list of images that it was measured on.
        source: publication of the score.
        miou: mean IoU of the 21 classes, 0..1.
        ious: IoU of each class in VOC's order, 0..1; None if not published.
    """

    name: str
    column: str
    measured_on: str
    source: str
    miou: float
    ious: tuple[float, ...] | None = None


ANCHORS = (
    Anchor(
        name="FCN-8s VGG16",
        column="FCN-8s",
        measured_on="VOC 2012 test",
        source="arXiv:1411.4038; classes in arXiv:1505.04366, table 1",
        miou=0.622,
        ious=(
            *(0.912, 0.768, 0.342, 0.689, 0.494, 0.603, 0.753, 0.747, 0.776, 0.214, 0.625),
            *(0.468, 0.718, 0.639, 0.765, 0.739, 0.452, 0.724, 0.374, 0.709, 0.551),
        ),
    ),
    Anchor(
        name="DeepLabv3-MobileNetV2, 513 px, int8",
        column="DLv3-MNv2",
        measured_on="VOC 2012 val",
        source="google-coral/test_data; scored with our own evaluation",
        miou=0.739,
        ious=(
            *(0.93, 0.85, 0.39, 0.83, 0.63, 0.72, 0.93, 0.85, 0.89, 0.37, 0.86),
            *(0.55, 0.81, 0.85, 0.81, 0.83, 0.54, 0.84, 0.49, 0.85, 0.68),
        ),
    ),
    Anchor("FCN-8s VGG16", "", "VOC 2011 val without SBD's train", "shelhamer/fcn.berkeleyvision.org", 0.655),
    Anchor("FCN-ResNet-50-D8", "", "VOC 2012 val", "mmsegmentation", 0.671),
    Anchor("fcn_resnet50", "", "COCO 2017 val, VOC's classes", "torchvision", 0.605),
    Anchor("DeepLabv3-ResNet-18", "", "VOC 2012 val", "source not checked", 0.732),
)
"""Published scores, at a single scale on whole images. Those with class scores come first: each is a report column."""


def require_voc2012(dataset: VocDataset, labels: Labels) -> None:
    """Require that a score on the data set is one on VOC 2012, or on a part of it.

    Raises:
        DatasetError: other classes, more images than the official list, or names that are not VOC's.
    """
    list_name = f"list {dataset.split} of {dataset.root}"
    if labels.names != VOC.names:
        raise DatasetError(f"benchmark voc2012 needs VOC's {len(VOC)} classes in VOC's order, not {len(labels)} others")
    if len(dataset) > VOC2012_VAL_IMAGES:
        raise DatasetError(f"{list_name} names {len(dataset)} images, VOC 2012's val {VOC2012_VAL_IMAGES}")
    foreign = [name for name in dataset.names if not _VOC_NAME.fullmatch(name)]
    if foreign:
        raise DatasetError(f"{list_name} names {foreign[0]}, which is not an image of VOC 2012 (as 2007_000033 is)")


def report(evaluation: Evaluation, list_name: str) -> str:
    """Format the official score: each class's IoU beside those of other networks, and the means.

    Args:
        evaluation: evaluation of VOC's 21 classes.
        list_name: name of the scored list; only ``val`` is official.
    """
    columns = [anchor for anchor in ANCHORS if anchor.ious is not None]
    rows = [_row("class", ["IoU", *(anchor.column for anchor in columns)])]
    for score in evaluation.classes:
        others = [anchor.ious[score.index] for anchor in columns if anchor.ious is not None]
        rows.append(_row(score.name, [_decimal(score.iou if score.images else None), *map(_decimal, others)]))
    rows.append(_row("mean", [_decimal(evaluation.miou), *(_decimal(anchor.miou) for anchor in columns)]))
    rows += ["", "published, single scale:"]
    rows += [f"  {anchor.miou:.3f} {anchor.name} ({anchor.measured_on}; {anchor.source})" for anchor in ANCHORS]
    return "\n".join([*rows, "", *_headline(evaluation, list_name)])


def images_scored(evaluation: Evaluation, list_name: str) -> str:
    """Describe the scored images in words: ``VOC 2012 val, 783 of 1,449 images``."""
    if list_name != "val":
        return f"VOC 2012's rules on list {list_name}, {evaluation.images:,} images: not the official list"
    return f"VOC 2012 val, {evaluation.images:,} of {VOC2012_VAL_IMAGES:,} images"


def _headline(evaluation: Evaluation, list_name: str) -> list[str]:
    present = sum(score.images > 0 for score in evaluation.classes)
    views = "" if evaluation.scales == (1.0,) and not evaluation.flip else "; several views of each image"
    lines = [
        images_scored(evaluation, list_name),
        f"mIoU of {present} classes {evaluation.miou:.4f} (void left out, original size{views})",
    ]
    if present < len(evaluation.classes):
        absent = [score.name for score in evaluation.classes if not score.images]
        lines.append(f"not comparable: no image shows {', '.join(absent)}")
    if evaluation.checkpoint:
        lines.append(f"checkpoint {evaluation.checkpoint}, {evaluation.precision.value}")
    return lines


def _row(name: str, cells: Sequence[str]) -> str:
    return f"{name:12}" + "".join(f" {cell:>9}" for cell in cells)


def _decimal(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
