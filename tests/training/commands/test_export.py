import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from typer.testing import CliRunner, Result

from model.checkpoint import Checkpoint, Summary
from model.networks import Architecture
from model.precision import Precision
from model.segmenter import Segmenter
from model.weight_compression import StorageDtype
from tests.model.noise import noise
from tests.model.random_checkpoint import random_checkpoint
from tests.precisions import needs_int8
from tests.training.evaluation_file import write_evaluation
from training.__main__ import cli
from training.errors import DatasetError, ExportError
from training.export.calibration import calibrate

NAMES = tuple(f"class {index}" for index in range(4))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("run") / "last.safetensors"
    root = "/srv/somebody/voc2012"
    training = {"data": {"sources": [{"root": root, "soft_labels": "D:\\soft", "per_batch": 8}], "folder": "data"}}
    summary = Summary(trained_on="made train (2 images)", training=training, scores={"old": 0.125})
    replace(random_checkpoint(Architecture.FCN8S), summary=summary).save(file)
    return file


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("golden") / "photograph.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)).save(file)
    return file


def _export(weights: Path, out: Path, golden: Path, *options: str | Path) -> Result:
    return CliRunner().invoke(cli, ["export", *map(str, (weights, out, "--golden", golden, *options))])


def _words(result: Result) -> str:
    """The output without the box around an error, whose lines may break between any words."""
    return " ".join(result.output.replace("│", " ").split())


def test_export_makes_what_the_service_loads(weights: Path, examples: Path, tmp_path: Path) -> None:
    summary, out = tmp_path / "summary.json", tmp_path / "served.safetensors"
    summary.write_text(json.dumps({"name": "trial", "scores": {"miou": 0.25}}))
    result = _export(weights, out, examples / "cat.jpg", "--summary", summary)
    assert result.exit_code == 0, result.output
    assert f"{out}: 0." in result.output
    assert "MB, float16" in result.output
    checkpoint = Segmenter.load(out, "cpu").checkpoint
    training = {"data": {"sources": [{"root": "voc2012", "soft_labels": "soft", "per_batch": 8}], "folder": "data"}}
    assert checkpoint.summary == Summary("trial", "made train (2 images)", training, {"miou": 0.25})
    assert checkpoint.golden is not None
    assert checkpoint.golden.image.shape == (300, 451, 3)


def test_int8_is_stored_with_the_mask_that_it_gives(golden: Path, tmp_path: Path) -> None:
    weights, out = tmp_path / "last.safetensors", tmp_path / "served.safetensors"
    random_checkpoint(Architecture.FCN8S, width=64).save(weights)
    result = _export(weights, out, golden, "--weights", "int8")
    assert result.exit_code == 0, result.output
    assert "MB, int8" in result.output
    assert load_file(out)["network.backbone.layer4.0.conv1.weight"].dtype == torch.int8
    segmenter = Segmenter.load(out, "cpu")
    assert segmenter.checkpoint.storage_dtype is StorageDtype.INT8
    sample = segmenter.checkpoint.golden
    assert sample is not None
    np.testing.assert_array_equal(segmenter.segment(sample.image).mask, sample.mask)


def test_an_exported_checkpoint_is_exported_again_as_the_same_file(weights: Path, golden: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    assert _export(weights, first, golden).exit_code == 0
    assert _export(first, second, golden).exit_code == 0
    assert first.read_bytes() == second.read_bytes()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of three images without masks, and two lists of them."""
    root = tmp_path_factory.mktemp("data") / "made"
    for folder in ("JPEGImages", "ImageSets/Segmentation"):
        (root / folder).mkdir(parents=True)
    for seed in range(3):
        Image.fromarray(noise(30, 40, seed)).save(root / "JPEGImages" / f"{seed}.png")
    for split, names in (("trainaug", "0\n1\n2"), ("some", "1\n0")):
        (root / "ImageSets" / "Segmentation" / f"{split}.txt").write_text(names)
    return root


@needs_int8
@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        ([], [0, 1, 2]),
        (["--calibrate-split", "some"], [0, 1]),
        (["--calibrate-count", "2"], [0, 2]),
        (["--calibrate-count", "1"], [0]),
    ],
)
def test_ranges_are_those_of_images_spread_over_a_list(
    weights: Path, golden: Path, data: Path, tmp_path: Path, options: list[str], chosen: list[int]
) -> None:
    out = tmp_path / "served.safetensors"
    result = _export(weights, out, golden, "--calibrate", data, *options)
    assert result.exit_code == 0, result.output
    checkpoint = Checkpoint.load(out)
    for choice in ([0, 1, 2], [0, 1], [0, 2], [0]):
        ranges = calibrate(checkpoint, [noise(30, 40, seed) for seed in choice]).activation_ranges
        assert (checkpoint.activation_ranges == ranges) == (choice == chosen)
    Segmenter(checkpoint, "cpu", precision=Precision.INT8)


def test_calibration_is_of_the_weights_as_they_are_stored(golden: Path, data: Path, tmp_path: Path) -> None:
    weights, out = tmp_path / "last.safetensors", tmp_path / "served.safetensors"
    random_checkpoint(Architecture.FCN8S, width=64).save(weights)
    assert (
        _export(weights, out, golden, "--calibrate", data, "--calibrate-count", "1", "--weights", "int8").exit_code == 0
    )
    stored = Checkpoint.load(out)
    assert stored.activation_ranges == calibrate(stored, [noise(30, 40, 0)]).activation_ranges
    assert stored.activation_ranges != calibrate(Checkpoint.load(weights), [noise(30, 40, 0)]).activation_ranges


def test_without_calibration_ranges_are_kept_and_a_missing_list_is_named(
    weights: Path, golden: Path, data: Path, tmp_path: Path
) -> None:
    out, again = tmp_path / "served.safetensors", tmp_path / "again.safetensors"
    assert _export(weights, out, golden).exit_code == 0
    assert Checkpoint.load(out).activation_ranges == ()
    assert _export(weights, out, golden, "--calibrate", data).exit_code == 0
    assert _export(out, again, golden).exit_code == 0
    assert again.read_bytes() == out.read_bytes()
    error = _export(weights, out, golden, "--calibrate", data, "--calibrate-split", "test").exception
    assert isinstance(error, DatasetError)
    assert "test.txt" in str(error)


def test_scores_of_evaluations_go_into_checkpoint_and_card(weights: Path, golden: Path, tmp_path: Path) -> None:
    digest = Checkpoint.load(weights).digest
    first = write_evaluation(
        tmp_path / "a.json", NAMES, checkpoint=digest, chosen=["class 1", "class 2"], miou_chosen=0.125
    )
    second = write_evaluation(tmp_path / "b.json", NAMES, split="other/val", miou=0.0625)
    out, card = tmp_path / "served.safetensors", tmp_path / "card.md"
    result = _export(weights, out, golden, "--scores", first, "--scores", second, "--card", card)
    assert result.exit_code == 0, result.output
    exported = Checkpoint.load(out)
    scores = exported.summary.scores
    assert (scores["made/val mIoU"], scores["made/val mIoU-2"], scores["other/val mIoU"]) == (0.5, 0.125, 0.0625)
    assert "old" not in scores
    text = card.read_text()
    assert "| made/val mIoU-2 | 0.125 |" in text
    assert "| class | IoU, made/val | boundary IoU | images | pixels | IoU, other/val |" in text
    assert exported.digest in text


def test_the_summarys_scores_go_before_those_of_evaluations(weights: Path, golden: Path, tmp_path: Path) -> None:
    summary, scores = tmp_path / "summary.json", write_evaluation(tmp_path / "a.json", NAMES)
    summary.write_text('{"scores": {"made/val mIoU of animals": 0.25}}')
    out = tmp_path / "served.safetensors"
    assert _export(weights, out, golden, "--scores", scores, "--summary", summary).exit_code == 0
    assert Checkpoint.load(out).summary.scores == {"made/val mIoU of animals": 0.25}


def test_scores_of_another_checkpoint_are_refused(weights: Path, golden: Path, tmp_path: Path) -> None:
    scores = write_evaluation(tmp_path / "a.json", NAMES, checkpoint="f" * 64)
    result = _export(weights, tmp_path / "served.safetensors", golden, "--scores", scores)
    assert isinstance(result.exception, ExportError)
    assert str(result.exception) == f"{scores} has scores of another checkpoint, SHA-256 {'f' * 64}"
    assert not (tmp_path / "served.safetensors").exists()


def test_two_evaluations_of_the_same_list_are_refused(weights: Path, golden: Path, tmp_path: Path) -> None:
    scores = write_evaluation(tmp_path / "a.json", NAMES)
    result = _export(weights, tmp_path / "served.safetensors", golden, "--scores", scores, "--scores", scores)
    assert isinstance(result.exception, ExportError)
    assert "is the second one with scores on made/val" in str(result.exception)


@pytest.mark.parametrize(
    "content", ["", "[1]", '{"author": "me"}', '{"scores": "high"}', '{"scores": {"miou": "high"}}', '{"name": 7}']
)
def test_a_summary_that_is_none_is_refused(weights: Path, golden: Path, tmp_path: Path, content: str) -> None:
    (tmp_path / "summary.json").write_text(content)
    result = _export(weights, tmp_path / "served.safetensors", golden, "--summary", tmp_path / "summary.json")
    assert result.exit_code == 2
    assert "is not a summary" in _words(result)
    assert not (tmp_path / "served.safetensors").exists()


def test_a_golden_photograph_that_is_none_is_refused(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("text")
    result = _export(weights, tmp_path / "served.safetensors", tmp_path / "text.jpg")
    assert result.exit_code == 2
    assert "is not a photograph" in _words(result)


@pytest.mark.slow
def test_onnx_is_of_the_weights_that_are_served(weights: Path, golden: Path, tmp_path: Path) -> None:
    out, file = tmp_path / "served.safetensors", tmp_path / "served.onnx"
    result = _export(weights, out, golden, "--onnx", file)
    assert result.exit_code == 0, result.output
    assert f"{file}: 0." in result.output
    assert "equal to PyTorch within" in result.output
    metadata = {entry.key: entry.value for entry in onnx.load(file).metadata_props}
    assert metadata["sha256"] == Checkpoint.load(out).digest


def test_without_onnxs_packages_nothing_is_written(
    weights: Path, golden: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    result = _export(weights, tmp_path / "served.safetensors", golden, "--onnx", tmp_path / "served.onnx")
    assert isinstance(result.exception, ExportError)
    assert "ONNX needs onnxruntime" in str(result.exception)
    assert list(tmp_path.iterdir()) == []
