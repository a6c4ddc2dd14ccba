"""Scores of the peer to beat, a DeepLabv3-MobileNetV2 for TensorFlow Lite, on the lists that score our weights.

    python -m benchmarks.deeplab DATA/weights/deeplabv3_257_mv_gpu.tflite DATA

It is scored twice: as intended, on the whole image at once, and as a teacher may use it, at two scales and mirrored.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from model.labels import VOC
from training.data.dataset import VocDataset
from training.evaluation.augmented_prediction import Views
from training.evaluation.metrics import ConfusionMatrix
from training.fit.teacher import TFLiteTeacher
from training.progress import track

SEVEN = [VOC.names.index(name) for name in ("background", "cat", "cow", "dog", "horse", "person", "sheep")]

Probabilities = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def score(probabilities: Probabilities, dataset: VocDataset) -> ConfusionMatrix:
    """Return the confusion matrix at original resolution; probabilities are enlarged to the image first."""
    matrix = ConfusionMatrix(len(VOC))
    for index in track(range(len(dataset)), f"scoring {dataset.split}", len(dataset)):
        sample = dataset[index]
        grid = torch.from_numpy(probabilities(sample.image))[None]
        enlarged = functional.interpolate(grid, sample.mask.shape, mode="bilinear", align_corners=False)[0]
        matrix.update(sample.mask, enlarged.argmax(dim=0).numpy().astype(np.uint8))
    return matrix


def main() -> None:
    teachers = {
        "one look": TFLiteTeacher(Path(sys.argv[1]), VOC, Views()),
        "scales 1 and 1.5, mirrored": TFLiteTeacher(Path(sys.argv[1]), VOC, Views((1.0, 1.5), flip=True)),
    }
    for name in ("voc2012", "extra"):
        dataset = VocDataset(Path(sys.argv[2]) / name, "val")
        for way, teacher in teachers.items():
            matrix = score(teacher.probabilities, dataset)
            present = np.flatnonzero(matrix.true_pixels).tolist()
            print(
                f"{name}/val, {way}: pixel accuracy {matrix.pixel_accuracy:.4f}, mIoU over {len(present)} classes "
                f"{matrix.miou(present):.4f}, mIoU-7 {matrix.miou(SEVEN):.4f}"
            )


if __name__ == "__main__":
    main()
