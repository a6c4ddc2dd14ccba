"""Rows of a sheet that show predictions: one sample in full, or several in compact form."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from model.segmenter import Segmenter
from training.data.dataset import Sample
from training.data.image_folder import Photograph
from training.evaluation.panels import Panel, errors_panel, joined, mask_panel, photograph_panel
from training.evaluation.ranking import image_miou

_PER_LINE = 4


def full_rows(samples: Iterable[Sample | Photograph], segmenter: Segmenter, side: int) -> list[list[Panel]]:
    """Make a row of image | prediction | ground truth for each sample; without ground truth, the last is omitted."""
    return [_full_row(sample, segmenter, side) for sample in samples]


def compact_rows(samples: Iterable[Sample | Photograph], segmenter: Segmenter, side: int) -> list[list[Panel]]:
    """Make rows of four samples, each as prediction | errors; without ground truth, only the prediction."""
    panels = [_compact_panel(sample, segmenter, side) for sample in samples]
    return [panels[start : start + _PER_LINE] for start in range(0, len(panels), _PER_LINE)]


def _full_row(sample: Sample | Photograph, segmenter: Segmenter, side: int) -> list[Panel]:
    labels, box = segmenter.checkpoint.labels, (side, side)
    prediction = segmenter.segment(sample.image).mask
    if isinstance(sample, Photograph):
        return [photograph_panel(sample.image, box, sample.name), mask_panel(prediction, labels, box, "prediction")]
    return [
        photograph_panel(sample.image, box, _caption(sample, prediction, len(labels))),
        mask_panel(prediction, labels, box, "prediction", truth=sample.mask),
        mask_panel(sample.mask, labels, box, "ground truth"),
    ]


def _compact_panel(sample: Sample | Photograph, segmenter: Segmenter, side: int) -> Panel:
    labels, box = segmenter.checkpoint.labels, (side, side)
    prediction = segmenter.segment(sample.image).mask
    if isinstance(sample, Photograph):
        return mask_panel(prediction, labels, box, sample.name)
    pair = [mask_panel(prediction, labels, box), errors_panel(prediction, sample.mask, labels, box)]
    return joined(pair, _caption(sample, prediction, len(labels)))


def _caption(sample: Sample, prediction: NDArray[np.uint8], num_classes: int) -> str:
    miou = image_miou(sample.mask, prediction, num_classes)
    return sample.name if np.isnan(miou) else f"{sample.name}  mIoU {miou:.2f}"
