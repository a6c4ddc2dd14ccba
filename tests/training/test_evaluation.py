from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from model.segmentation import Segmentation, Timings
from model.segmenter import Segmenter
from model.tiling import Tiling
from tests.model.random_checkpoint import random_checkpoint, small_labels
from tests.training.voc_folder import halves, write_voc_folder
from training.dataset import VocDataset
from training.evaluation import evaluate

LABELS = small_labels(4)


@pytest.fixture
def dataset(tmp_path: Path) -> VocDataset:
    with_void = halves(0, 2, 40, 50)
    with_void[:10] = 255
    masks = {"one": halves(0, 1, 40, 50), "two": with_void}
    return VocDataset(write_voc_folder(tmp_path / "made", masks, split="val", labels=LABELS), "val", LABELS)


@pytest.fixture
def segmenter(monkeypatch: pytest.MonkeyPatch) -> Segmenter:
    """Predicts class 0 in the left half and class 1 in the right half of everything."""

    def segment(
        self: Segmenter, image: NDArray[np.uint8], *, tiling: Tiling = Tiling.AUTO, confidence: bool = False
    ) -> Segmentation:
        return Segmentation(halves(0, 1, *image.shape[:2]), LABELS, Timings(0, 0, 0))

    monkeypatch.setattr(Segmenter, "segment", segment)
    return Segmenter(random_checkpoint(), "cpu")


def test_scores_of_a_made_set_by_hand(segmenter: Segmenter, dataset: VocDataset) -> None:
    scores = evaluate(segmenter, dataset, Tiling.EXACT, ["class 0", "class 2"])
    # True pixels: 1000 of class 0 and 1000 of class 1, then 750 of class 0 and 750 of class 2, which is missed.
    assert scores.pixel_accuracy == pytest.approx(2750 / 3500)
    assert scores.mean_accuracy == pytest.approx(2 / 3)
    assert scores.miou == pytest.approx((1 + 1000 / 1750 + 0) / 3)
    assert scores.miou_chosen == pytest.approx(1 / 2)
    assert (scores.split, scores.images, scores.tiling) == ("made/val", 2, Tiling.EXACT)
    assert [(c.index, c.name, c.images, c.pixels) for c in scores.classes] == [
        (0, "class 0", 2, 1750),
        (1, "class 1", 1, 1000),
        (2, "class 2", 1, 750),
        (3, "class 3", 0, 0),
    ]
    assert [c.iou for c in scores.classes] == pytest.approx([1, 1000 / 1750, 0, None])
    assert [c.accuracy for c in scores.classes] == [1, 1, 0, None]


def test_the_mean_over_chosen_classes_is_left_out_unless_asked_for(segmenter: Segmenter, dataset: VocDataset) -> None:
    scores = evaluate(segmenter, dataset)
    assert scores.miou_chosen is None
    assert "mIoU over class" not in scores.table()


def test_the_table_shows_every_class_and_the_means(segmenter: Segmenter, dataset: VocDataset) -> None:
    table = evaluate(segmenter, dataset, chosen=["class 0"]).table().splitlines()
    assert table[1].split() == ["class", "0", "100.0%", "100.0%", "2", "1750"]
    assert table[4].split() == ["class", "3", "-", "-", "0", "0"]
    assert table[5:] == [
        "made/val: 2 images, tiling auto",
        "pixel accuracy 0.7857, mean accuracy 0.6667",
        "mIoU over the 3 classes present 0.5238",
        "mIoU over class 0 1.0000",
    ]


def test_a_network_is_scored_by_its_own_masks(dataset: VocDataset) -> None:
    segmenter = Segmenter(random_checkpoint(), "cpu")
    right = known = 0
    for index in range(len(dataset)):
        sample = dataset[index]
        seen = sample.mask != 255
        right += int((segmenter.segment(sample.image).mask == sample.mask)[seen].sum())
        known += int(seen.sum())
    scores = evaluate(segmenter, dataset)
    assert scores.pixel_accuracy == pytest.approx(right / known)
    assert sum(score.pixels for score in scores.classes) == known
