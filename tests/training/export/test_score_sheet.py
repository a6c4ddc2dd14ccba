import json
from pathlib import Path

import numpy as np
import pytest

from model.segmenter import Segmenter
from model.tiling import Tiling
from tests.model.random_checkpoint import random_checkpoint
from tests.training.evaluation_file import write_evaluation
from tests.training.voc_folder import halves, write_voc_folder
from training.data.dataset import VocDataset
from training.errors import ExportError
from training.evaluation.evaluation import evaluate
from training.export.score_sheet import ScoreSheet


def test_what_an_evaluation_writes_is_read_back(tmp_path: Path) -> None:
    checkpoint = random_checkpoint()
    root = write_voc_folder(tmp_path / "made", {"one": halves(0, 2)}, split="val", labels=checkpoint.labels)
    dataset = VocDataset(root, "val", checkpoint.labels)
    evaluation = evaluate(Segmenter(checkpoint, "cpu"), dataset, Tiling.WHOLE, chosen=["class 0", "class 2"])
    (tmp_path / "scores.json").write_text(json.dumps(evaluation.document()))
    sheet = ScoreSheet.read(tmp_path / "scores.json")
    measures = sheet.measures()
    assert measures["made/val pixel accuracy"] == evaluation.pixel_accuracy
    assert measures["made/val mIoU"] == evaluation.miou
    assert measures["made/val mIoU-2"] == evaluation.miou_chosen
    assert [row.pixels for row in sheet.classes] == [60 * 35, 0, 60 * 35, 0]
    assert np.allclose(
        [row.iou for row in sheet.classes if row.iou is not None],
        [s.iou for s in evaluation.classes if s.iou is not None],
    )


def test_measures_are_named_after_their_list_and_unknown_ones_are_kept(tmp_path: Path) -> None:
    file = write_evaluation(tmp_path / "a.json", ["a", "b"], trimap_iou_chosen=0.125, chosen=["b"], seconds=0.5)
    assert ScoreSheet.read(file).measures() == {
        "made/val pixel accuracy": 0.75,
        "made/val mean accuracy": 0.625,
        "made/val mIoU": 0.5,
        "made/val boundary IoU": 0.25,
        "made/val trimap IoU-1": 0.125,
    }


def test_views_that_the_service_does_not_average_are_told(tmp_path: Path) -> None:
    file = write_evaluation(tmp_path / "a.json", ["a", "b"], scales=[0.75, 1.0], flip=True)
    assert "made/val at scales 0.75, 1 with mirror images mIoU" in ScoreSheet.read(file).measures()


def test_a_precision_that_is_not_the_services_own_is_told(tmp_path: Path) -> None:
    file = write_evaluation(tmp_path / "a.json", ["a", "b"], precision="int8", flip=True)
    assert "made/val in int8 with mirror images mIoU" in ScoreSheet.read(file).measures()
    file = write_evaluation(tmp_path / "b.json", ["a", "b"], precision="float32")
    assert "made/val mIoU" in ScoreSheet.read(file).measures()


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"absent\.json cannot be read: No such file"):
        ScoreSheet.read(tmp_path / "absent.json")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"split": "a", "images": 1, "classes": [{"name": "x"}]}'])
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "other.json").write_text(content)
    with pytest.raises(ExportError, match=r"other\.json holds no scores of an evaluation"):
        ScoreSheet.read(tmp_path / "other.json")
