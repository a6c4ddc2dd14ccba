import runpy
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from model.checkpoint import Checkpoint
from model.errors import DeviceError
from model.networks.resnet import ResNet
from model.preprocessing import Preprocessing
from tests.training.voc_folder import halves, write_voc_folder
from training.__main__ import cli
from training.errors import ConfigError, DatasetError


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    masks = {"one": halves(0, 8), "two": halves(0, 15, beside=False)}
    root = write_voc_folder(tmp_path_factory.mktemp("data") / "made", masks)
    return write_voc_folder(root, masks, split="val")


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("backbone") / "backbone.safetensors"
    save_file(ResNet().state_dict(), file)
    return file


@pytest.fixture(scope="module")
def weights(data: Path, backbone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    source = ["--source", f"{data}:train:1", "--source", f"{data}:val:1"]
    size = ["--steps", "2", "--crop-size", "64", "--workers", "0", "--device", "cpu"]
    result = CliRunner().invoke(cli, ["train", *source, "--out", str(out), "--backbone", str(backbone), *size])
    assert result.exit_code == 0, result.output
    assert str(out / "last.safetensors") in result.output
    return out / "last.safetensors"


def test_train_writes_a_checkpoint(weights: Path) -> None:
    checkpoint = Checkpoint.load(weights)
    assert checkpoint.config.architecture == "fcn8s"
    assert checkpoint.summary.trained_on == "made train (2 images), made val (2 images)"
    assert checkpoint.summary.training["steps"] == checkpoint.summary.training["step"] == 2
    assert checkpoint.summary.training["per_batch"] == [1, 1]


def test_train_starts_from_the_backbone_given(weights: Path, backbone: Path) -> None:
    torch.manual_seed(0)
    start, after = ResNet().state_dict()["conv1.weight"], Checkpoint.load(weights).weights["backbone.conv1.weight"]
    assert 0 < (after - start).abs().max() < 0.05 * start.abs().max()


def test_train_goes_on_from_a_checkpoint(weights: Path, data: Path, tmp_path: Path) -> None:
    size = ["--steps", "1", "--crop-size", "64", "--workers", "0", "--device", "cpu", "--learning-rate", "0.0001"]
    rest = ["--head-learning-rate", "0.0001", "--architecture", "fcn32s", "--out", str(tmp_path)]
    before = replace(Checkpoint.load(weights), preprocessing=Preprocessing(mean=(0.5, 0.5, 0.5)))
    before.save(tmp_path / "start.safetensors")
    start = ["--start-from", str(tmp_path / "start.safetensors")]
    result = CliRunner().invoke(cli, ["train", "--source", f"{data}:train:2", *start, *size, *rest])
    assert result.exit_code == 0, result.output
    after = Checkpoint.load(tmp_path / "last.safetensors")
    assert after.config == before.config
    assert after.preprocessing == before.preprocessing
    name = "classifier.weight"
    assert 0 < (after.weights[name] - before.weights[name]).abs().max() < 0.001


def test_train_refuses_an_absent_device(data: Path, backbone: Path, tmp_path: Path) -> None:
    arguments = ["train", "--source", f"{data}:train:2", "--backbone", str(backbone), "--out", str(tmp_path)]
    result = CliRunner().invoke(cli, [*arguments, "--device", "quantum"])
    assert isinstance(result.exception, DeviceError)


@pytest.mark.parametrize("source", ["nowhere", "nowhere:train", "{data}:train:many"])
def test_a_source_that_is_none_is_refused_with_its_form(source: str, data: Path, tmp_path: Path) -> None:
    arguments = ["train", "--source", source.format(data=data), "--out", str(tmp_path / "run")]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2
    assert "FOLDER:LIST:N" in result.output
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("per_batch", [0, -1])
def test_a_source_without_a_share_of_the_batch_is_refused(
    per_batch: int, data: Path, backbone: Path, tmp_path: Path
) -> None:
    source = ["--source", f"{data}:train:{per_batch}", "--backbone", str(backbone)]
    result = CliRunner().invoke(
        cli, ["train", *source, "--out", str(tmp_path / "run"), "--steps", "1", "--workers", "0"]
    )
    assert result.exit_code == 2
    assert not (tmp_path / "run").exists()


def test_a_source_whose_folder_is_missing_is_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["train", "--source", f"{tmp_path}:train:2", "--out", str(tmp_path / "run")])
    assert isinstance(result.exception, DatasetError)
    assert str(tmp_path) in str(result.exception)


def test_settings_out_of_range_are_refused(data: Path, tmp_path: Path) -> None:
    arguments = ["train", "--source", f"{data}:train:1", "--out", str(tmp_path / "run"), "--crop-size", "100"]
    result = CliRunner().invoke(cli, arguments)
    assert isinstance(result.exception, ConfigError)


def test_an_error_ends_the_program_with_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["training", "evaluate", str(tmp_path / "absent.safetensors"), str(tmp_path)])
    monkeypatch.delitem(sys.modules, "training.__main__", raising=False)
    with pytest.raises(SystemExit) as end:
        runpy.run_module("training", run_name="__main__")
    assert end.value.code == f"error: there is no weights file {tmp_path / 'absent.safetensors'}"
