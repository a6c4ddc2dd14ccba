import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from model.checkpoint import Checkpoint
from model.labels import VOC
from model.segmenter import Segmenter
from tests.training.voc_checkpoint import write_voc_checkpoint
from tests.training.voc_folder import halves, write_voc_folder
from tests.training.window_interpreter import RED_STEP, RedInterpreter, install
from training.__main__ import cli
from training.data.dataset import VocDataset
from training.data.soft_labels import SoftLabels
from training.errors import DatasetError


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_voc_checkpoint(tmp_path_factory.mktemp("teacher") / "teacher.safetensors")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    root = write_voc_folder(tmp_path / "made", {"one": halves(0, 8), "two": halves(3, 15, 33, 47)})
    shutil.rmtree(root / "SegmentationClass")
    return root


def _write(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["soft-labels", *map(str, arguments), "--device", "cpu"])


def test_each_image_of_the_list_gets_its_soft_labels(weights: Path, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "soft"
    result = _write(weights, data, out)
    assert result.exit_code == 0, result.output
    assert sorted(file.name for file in out.iterdir()) == ["one.npz", "two.npz"]
    dataset = VocDataset(data, "train", soft_labels=out, labelled=False)
    assert len(dataset) == 2
    for index, size in enumerate([(8, 9), (5, 6)]):
        sample = dataset[index]
        assert sample.soft_labels is not None
        probabilities = sample.soft_labels.probabilities / 255
        assert probabilities.shape == (21, *size)
        assert np.abs(probabilities.sum(axis=0) - 1).max() < 21 / 2 / 255
        whole = Segmenter(Checkpoint.load(weights), "cpu").probabilities(sample.image).mean(axis=(1, 2))
        np.testing.assert_allclose(probabilities.mean(axis=(1, 2)), whole, atol=0.03)


def test_the_list_may_be_another(weights: Path, data: Path, tmp_path: Path) -> None:
    (data / "ImageSets" / "Segmentation" / "some.txt").write_text("two\n")
    assert _write(weights, data, tmp_path / "soft", "--split", "some").exit_code == 0
    assert [file.name for file in (tmp_path / "soft").iterdir()] == ["two.npz"]


def test_what_is_there_already_is_kept(weights: Path, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "soft"
    out.mkdir()
    kept = np.full((21, 2, 2), 7, dtype=np.uint8)
    SoftLabels(kept).save(out / "one.npz")
    assert _write(weights, data, out).exit_code == 0
    np.testing.assert_array_equal(SoftLabels.load(out / "one.npz", 21).probabilities, kept)
    assert SoftLabels.load(out / "two.npz", 21).probabilities.shape == (21, 5, 6)


def test_soft_labels_agree_with_weak_labels(weights: Path, data: Path, tmp_path: Path) -> None:
    known = tmp_path / "known.json"
    known.write_text(json.dumps({"one": {"width": 70, "height": 60, "image_class": "cat"}}))
    assert _write(weights, data, tmp_path / "free").exit_code == 0
    result = _write(weights, data, tmp_path / "held", "--weak-labels", known)
    assert result.exit_code == 0, result.output
    free, held = (
        {name: SoftLabels.load(tmp_path / folder / f"{name}.npz", 21).probabilities for name in ("one", "two")}
        for folder in ("free", "held")
    )
    others = [index for index, name in enumerate(VOC.names) if name not in {"background", "cat"}]
    assert free["one"][others].any()
    assert not held["one"][others].any()
    assert held["one"].any()
    np.testing.assert_array_equal(held["two"], free["two"])


def test_unusable_weak_labels_are_refused_before_anything_is_written(weights: Path, data: Path, tmp_path: Path) -> None:
    (tmp_path / "known.json").write_text("[]")
    result = _write(weights, data, tmp_path / "soft", "--weak-labels", tmp_path / "known.json")
    assert isinstance(result.exception, DatasetError)
    assert not (tmp_path / "soft").exists()


def test_a_tensorflow_lite_network_teaches_vocs_classes(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class VocInterpreter(RedInterpreter):
        num_classes = len(VOC)

    install(monkeypatch, VocInterpreter)
    (tmp_path / "teacher.tflite").write_bytes(b"stands for a network")
    (data / "JPEGImages" / "one.jpg").unlink()
    Image.new("RGB", (64, 64), (3 * RED_STEP, 0, 0)).save(data / "JPEGImages" / "one.png")
    result = _write(tmp_path / "teacher.tflite", data, tmp_path / "soft")
    assert result.exit_code == 0, result.output
    taught = SoftLabels.load(tmp_path / "soft" / "one.npz", 21).probabilities
    assert taught.shape == (21, 8, 8)
    assert (taught[3] == 255).all()
    assert not np.delete(taught, 3, axis=0).any()
