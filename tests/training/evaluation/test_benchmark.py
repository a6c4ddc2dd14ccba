import json
import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from model.labels import IGNORE_INDEX, VOC
from tests.model.random_checkpoint import random_checkpoint
from tests.training.voc_checkpoint import write_voc_checkpoint
from tests.training.voc_folder import halves, write_voc_folder
from training.__main__ import cli
from training.errors import DatasetError
from training.evaluation.benchmark import ANCHORS, VOC2012_VAL_IMAGES


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_voc_checkpoint(tmp_path_factory.mktemp("run") / "last.safetensors")


def _all_classes() -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """A mask with a stripe for every class and for void."""
    mask = np.repeat(np.arange(22, dtype=np.uint8), 4)[None].repeat(64, axis=0)
    mask[mask == 21] = IGNORE_INDEX
    return mask


def _evaluate(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["evaluate", *map(str, arguments), "--device", "cpu", "--benchmark", "voc2012"])


def test_the_official_number_is_printed_with_the_share_of_the_list(weights: Path, tmp_path: Path) -> None:
    masks = {"2007_000033": _all_classes(), "2011_003271": halves(0, 8)}
    data = write_voc_folder(tmp_path / "voc", masks, split="val")
    file = tmp_path / "scores.json"
    result = _evaluate(weights, data, "--json", file)
    assert result.exit_code == 0, result.output
    scores = json.loads(file.read_text())
    assert scores["benchmark"] == "VOC 2012 val, 2 of 1,449 images"
    assert "VOC 2012 val, 2 of 1,449 images\n" in result.stdout
    ious = [row["iou"] for row in scores["classes"]]
    assert f"mIoU of 21 classes {np.mean(ious):.4f} (void left out, original size)" in result.stdout
    assert "not comparable" not in result.stdout
    rows = {name: numbers for name, *numbers in (re.split(" +", line) for line in result.stdout.splitlines())}
    assert rows["bottle"] == [f"{ious[5]:.3f}", "0.603", "0.720"]
    assert rows["mean"] == [f"{np.mean(ious):.3f}", "0.622", "0.739"]


def test_a_list_without_some_classes_is_not_comparable(weights: Path, tmp_path: Path) -> None:
    data = write_voc_folder(tmp_path / "voc", {"2007_000033": halves(0, 8)}, split="val")
    result = _evaluate(weights, data)
    assert result.exit_code == 0, result.output
    assert "mIoU of 2 classes" in result.stdout
    assert "not comparable: no image shows aeroplane, bicycle," in result.stdout


def test_another_list_is_scored_and_not_called_official(weights: Path, tmp_path: Path) -> None:
    data = write_voc_folder(tmp_path / "voc", {"2007_000032": halves(0, 8)}, split="train")
    result = _evaluate(weights, data, "--split", "train")
    assert result.exit_code == 0, result.output
    assert "VOC 2012's rules on list train, 1 images: not the official list" in result.stdout
    assert "of 1,449 images" not in result.stdout


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["cat"], "names cat, which is not an image of VOC 2012"),
        (["2007_000033", "2007_000033"], "names images more than once: 2007_000033"),
        ([f"2008_{number:06}" for number in range(1450)], "names 1450 images, VOC 2012's val 1449"),
    ],
)
def test_what_is_no_part_of_the_list_is_refused(weights: Path, tmp_path: Path, names: list[str], expected: str) -> None:
    data = write_voc_folder(tmp_path / "voc", {"2007_000033": halves(0, 8)}, split="val")
    (data / "ImageSets" / "Segmentation" / "val.txt").write_text("\n".join(names))
    error = _evaluate(weights, data).exception
    assert isinstance(error, DatasetError)
    assert expected in str(error)


def test_other_classes_are_refused(tmp_path: Path) -> None:
    random_checkpoint(num_classes=4).save(tmp_path / "other.safetensors")
    data = write_voc_folder(tmp_path / "voc", {"2007_000033": halves(0, 1)}, split="val")
    error = _evaluate(tmp_path / "other.safetensors", data).exception
    assert isinstance(error, DatasetError)
    assert "needs VOC's 21 classes" in str(error)


def test_the_anchors_classes_have_the_mean_that_is_published() -> None:
    assert VOC2012_VAL_IMAGES == 1449
    with_classes = [anchor for anchor in ANCHORS if anchor.ious is not None]
    assert len(with_classes) == 2
    for anchor in with_classes:
        assert anchor.ious is not None
        assert len(anchor.ious) == len(VOC)
        assert np.mean(anchor.ious) == pytest.approx(anchor.miou, abs=0.002)
