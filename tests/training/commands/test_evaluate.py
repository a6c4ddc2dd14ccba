import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from model.checkpoint import Checkpoint
from model.errors import DeviceError, TilingError
from tests.precisions import needs_int8
from tests.training.voc_checkpoint import write_voc_checkpoint
from tests.training.voc_folder import halves, write_voc_folder
from training.__main__ import cli
from training.export.calibration import calibrate


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    masks = {"one": halves(0, 8), "two": halves(0, 15, beside=False)}
    return write_voc_folder(tmp_path_factory.mktemp("data") / "made", masks, split="val")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_voc_checkpoint(tmp_path_factory.mktemp("run") / "last.safetensors")


def _evaluate(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["evaluate", *map(str, arguments), "--device", "cpu"])


def test_the_scores_are_printed_and_written(weights: Path, data: Path, tmp_path: Path) -> None:
    file = tmp_path / "folder" / "scores.json"
    result = _evaluate(weights, data, "--classes", "cat,person", "--json", file, "--mode", "whole")
    assert result.exit_code == 0, result.output
    assert "made/val: 2 images, tiling whole\n" in result.output
    assert "mIoU over cat, person" in result.output
    scores = json.loads(file.read_text())
    assert (scores["images"], scores["split"], scores["tiling"]) == (2, "made/val", "whole")
    assert (scores["scales"], scores["flip"], scores["other_modes"]) == ([1.0], False, [])
    assert scores["chosen"] == ["cat", "person"]
    assert [row["pixels"] for row in scores["classes"] if row["pixels"]] == [4200, 2100, 2100]
    assert f"pixel accuracy {scores['pixel_accuracy']:.4f}" in result.output
    assert f"boundary IoU {scores['boundary_iou']:.4f}" in result.output
    assert scores["checkpoint"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert f"checkpoint {scores['checkpoint']}" in result.output
    assert [sum(row) for row in scores["confusion"]] == [row["pixels"] for row in scores["classes"]]
    assert all(isinstance(count, int) for row in scores["confusion"] for count in row)


def test_several_modes_stand_beside_each_other(weights: Path, data: Path, tmp_path: Path) -> None:
    modes = ["--mode", "whole", "--mode", "exact", "--mode", "overlap", "--mode", "exact"]
    result = _evaluate(weights, data, *modes, "--json", tmp_path / "scores.json")
    assert result.exit_code == 0, result.output
    rows = [line.split() for line in result.stdout.splitlines()[-3:]]
    assert [row[0] for row in rows] == ["whole", "exact", "overlap"]
    scores = json.loads((tmp_path / "scores.json").read_text())
    exact, overlap = scores["other_modes"]
    assert (scores["tiling"], exact["tiling"], overlap["tiling"]) == ("whole", "exact", "overlap")
    assert rows[0][1:] == rows[1][1:]
    assert exact["confusion"] == scores["confusion"] != overlap["confusion"]
    assert rows[2][1:] == [
        f"{overlap[name]:.4f}" for name in ("pixel_accuracy", "mean_accuracy", "miou", "boundary_iou")
    ]


def test_flip_and_scales_change_the_scores_and_are_told(weights: Path, data: Path, tmp_path: Path) -> None:
    plain, views = tmp_path / "plain.json", tmp_path / "views.json"
    assert _evaluate(weights, data, "--json", plain).exit_code == 0
    result = _evaluate(weights, data, "--flip", "--scale", "0.75", "--scale", "1.5", "--json", views)
    assert result.exit_code == 0, result.output
    assert "made/val: 2 images, tiling auto, scales 0.75, 1.5, flipped too\n" in result.output
    scores = json.loads(views.read_text())
    assert (scores["scales"], scores["flip"]) == ([0.75, 1.5], True)
    assert scores["confusion"] != json.loads(plain.read_text())["confusion"]


@needs_int8
def test_int8_is_scored_and_told(weights: Path, data: Path, tmp_path: Path) -> None:
    image = np.asarray(Image.open(data / "JPEGImages" / "one.jpg"))
    served, plain, integers = tmp_path / "served.safetensors", tmp_path / "plain.json", tmp_path / "integers.json"
    calibrate(Checkpoint.load(weights), [image]).save(served)
    assert _evaluate(served, data, "--json", plain).exit_code == 0
    result = _evaluate(served, data, "--precision", "int8", "--json", integers)
    assert result.exit_code == 0, result.output
    assert "made/val: 2 images, tiling auto, int8\n" in result.output
    scores, reference = json.loads(integers.read_text()), json.loads(plain.read_text())
    assert (scores["precision"], reference["precision"]) == ("int8", "float32")
    assert scores["confusion"] != reference["confusion"]
    assert scores["pixel_accuracy"] == pytest.approx(reference["pixel_accuracy"], abs=0.05)


def test_a_precision_that_the_cpu_does_not_have_is_refused(
    weights: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.capabilities._onednn_has_bfloat16", lambda: False)
    error = _evaluate(weights, data, "--device", "cpu", "--precision", "bfloat16").exception
    assert isinstance(error, DeviceError)
    assert "device 'cpu' does not support bfloat16: it needs" in str(error)


def test_the_confusion_matrix_is_drawn(weights: Path, data: Path, tmp_path: Path) -> None:
    result = _evaluate(weights, data, "--confusion", tmp_path / "folder" / "confusion.png")
    assert result.exit_code == 0, result.output
    with Image.open(tmp_path / "folder" / "confusion.png") as picture:
        assert picture.format == "PNG"


def test_an_unknown_class_is_refused(weights: Path, data: Path) -> None:
    result = _evaluate(weights, data, "--classes", "cat,unicorn")
    assert result.exit_code == 2
    assert "unicorn: no such class" in result.output


@pytest.mark.parametrize("scale", ["0", "-1", "5", "big"])
def test_a_scale_out_of_range_is_refused(weights: Path, data: Path, scale: str) -> None:
    assert _evaluate(weights, data, "--scale", "1", "--scale", scale).exit_code == 2


def test_bands_that_are_too_small_are_refused_with_the_least(weights: Path, data: Path) -> None:
    error = _evaluate(weights, data, "--mode", "exact", "--band-pixels", "32").exception
    assert isinstance(error, TilingError)
    assert "at least 1024 pixels" in str(error)
