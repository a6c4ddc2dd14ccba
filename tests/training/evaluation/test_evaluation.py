import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from model.precision import Precision
from model.segmentation import Segmentation, Timings
from model.segmenter import Segmenter
from model.tiling import Tiling, TilingLimits
from tests.model.random_checkpoint import random_checkpoint, small_labels
from tests.training.voc_folder import halves, write_voc_folder
from training.data.dataset import VocDataset
from training.evaluation.augmented_prediction import Views, predict_mask
from training.evaluation.evaluation import evaluate, totals_table

LABELS = small_labels(4)


@pytest.fixture
def dataset(tmp_path: Path) -> VocDataset:
    with_void = halves(0, 2, 40, 50)
    with_void[:10] = 255
    masks = {"one": halves(0, 1, 40, 50), "two": with_void}
    return VocDataset(write_voc_folder(tmp_path / "made", masks, split="val", labels=LABELS), "val", LABELS)


@pytest.fixture
def segmenter(monkeypatch: pytest.MonkeyPatch) -> Segmenter:
    """A segmenter that predicts class 0 in the left half and class 1 in the right half of every image."""

    def segment(
        self: Segmenter, image: NDArray[np.uint8], *, tiling: Tiling = Tiling.AUTO, confidence: bool = False
    ) -> Segmentation:
        return Segmentation(halves(0, 1, *image.shape[:2]), LABELS, Timings(0, 0, 0))

    monkeypatch.setattr(Segmenter, "segment", segment)
    return Segmenter(replace(random_checkpoint(), digest="12ab"), "cpu")


def test_scores_of_a_made_set_by_hand(segmenter: Segmenter, dataset: VocDataset) -> None:
    scores = evaluate(segmenter, dataset, Tiling.EXACT, ["class 0", "class 2"])
    # True pixels: 1000 of class 0 and 1000 of class 1, then 750 of class 0 and 750 of class 2, which is missed.
    assert scores.pixel_accuracy == pytest.approx(2750 / 3500)
    assert scores.mean_accuracy == pytest.approx(2 / 3)
    assert scores.miou == pytest.approx((1 + 1000 / 1750 + 0) / 3)
    assert scores.miou_chosen == pytest.approx(1 / 2)
    assert (scores.split, scores.images, scores.tiling) == ("made/val", 2, Tiling.EXACT)
    assert (scores.checkpoint, scores.scales, scores.flip) == ("12ab", (1.0,), False)
    assert [(c.index, c.name, c.images, c.pixels) for c in scores.classes] == [
        (0, "class 0", 2, 1750),
        (1, "class 1", 1, 1000),
        (2, "class 2", 1, 750),
        (3, "class 3", 0, 0),
    ]
    assert [c.iou for c in scores.classes] == pytest.approx([1, 1000 / 1750, 0, None])
    assert [c.accuracy for c in scores.classes] == [1, 1, 0, None]
    assert scores.confusion == ((1750, 0, 0, 0), (0, 1000, 0, 0), (0, 750, 0, 0), (0, 0, 0, 0))


def test_boundary_scores_of_a_made_set_by_hand(segmenter: Segmenter, dataset: VocDataset) -> None:
    scores = evaluate(segmenter, dataset)
    # Bands are 1 pixel wide, so those of a rectangle are its outline: 126 pixels of 40 x 25, then 106 of the 30 x 25
    # that are known.
    assert [c.boundary_iou for c in scores.classes] == pytest.approx([1, 126 / 232, 0, None])
    assert scores.boundary_iou == pytest.approx((1 + 126 / 232 + 0) / 3)


def test_the_mean_over_chosen_classes_is_left_out_unless_asked_for(segmenter: Segmenter, dataset: VocDataset) -> None:
    scores = evaluate(segmenter, dataset)
    assert scores.miou_chosen is None
    assert "mIoU over class" not in scores.table()


def test_the_table_shows_every_class_and_the_means(segmenter: Segmenter, dataset: VocDataset) -> None:
    table = evaluate(segmenter, dataset, chosen=["class 0"]).table().splitlines()
    assert table[2].split() == ["class", "1", "57.1%", "54.3%", "100.0%", "1", "1000"]
    assert table[4].split() == ["class", "3", "-", "-", "-", "0", "0"]
    assert len({len(line) for line in table[:5]}) == 1
    assert table[5:] == [
        "made/val: 2 images, tiling auto",
        "checkpoint 12ab",
        "pixel accuracy 0.7857, mean accuracy 0.6667",
        "mIoU over the 3 classes present 0.5238, boundary IoU 0.5144",
        "mIoU over class 0 1.0000",
    ]


def test_the_totals_of_several_evaluations_stand_below_each_other(segmenter: Segmenter, dataset: VocDataset) -> None:
    whole, overlap = (evaluate(segmenter, dataset, tiling, ["class 0"]) for tiling in (Tiling.WHOLE, Tiling.OVERLAP))
    assert [line.split() for line in totals_table([whole, replace(overlap, miou=0.5)]).splitlines()[1:]] == [
        ["whole", "0.7857", "0.6667", "0.5238", "0.5144", "1.0000"],
        ["overlap", "0.7857", "0.6667", "0.5000", "0.5144", "1.0000"],
    ]
    assert "chosen" not in totals_table([evaluate(segmenter, dataset)])


def test_what_could_not_be_measured_is_null_in_json(segmenter: Segmenter, dataset: VocDataset) -> None:
    scores = evaluate(segmenter, dataset, chosen=["class 3"])
    document = json.loads(json.dumps(scores.document(), allow_nan=False))
    assert document["miou_chosen"] is None
    assert document["classes"][3]["boundary_iou"] is None
    assert document["miou"] == scores.miou
    assert document["tiling"] == "auto"
    assert document["confusion"][2] == [0, 750, 0, 0]


@pytest.mark.parametrize("views", [Views(), Views(flip=True), Views((0.75, 1.25), flip=True)])
def test_a_network_is_scored_by_its_own_masks(dataset: VocDataset, views: Views) -> None:
    segmenter = Segmenter(random_checkpoint(), "cpu")
    right = known = 0
    for index in range(len(dataset)):
        sample = dataset[index]
        seen = sample.mask != 255
        right += int((predict_mask(segmenter, sample.image, views=views) == sample.mask)[seen].sum())
        known += int(seen.sum())
    scores = evaluate(segmenter, dataset, views=views)
    assert scores.pixel_accuracy == pytest.approx(right / known)
    assert sum(score.pixels for score in scores.classes) == known
    assert (scores.scales, scores.flip) == (views.scales, views.flip)


def test_exact_scores_as_whole_does_and_overlap_does_not(tmp_path: Path) -> None:
    checkpoint = random_checkpoint()
    side = 480
    random = np.random.default_rng(0)
    mask = np.kron(random.integers(0, 4, (12, 12), dtype=np.uint8), np.ones((side // 8, side // 8), np.uint8))
    made = VocDataset(write_voc_folder(tmp_path / "made", {"one": mask}, labels=LABELS), "train", LABELS)
    segmenter = Segmenter(checkpoint, "cpu", TilingLimits(band_pixels=32 * side), Precision.FLOAT64)
    whole, exact, overlap = (evaluate(segmenter, made, mode) for mode in (Tiling.WHOLE, Tiling.EXACT, Tiling.OVERLAP))
    assert replace(exact, tiling=Tiling.WHOLE) == whole
    assert overlap.confusion != whole.confusion
