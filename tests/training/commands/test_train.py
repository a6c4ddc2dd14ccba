import json
import runpy
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner, Result

from model.checkpoint import Checkpoint
from model.errors import DeviceError
from model.networks.resnet import ResNet
from model.preprocessing import Preprocessing
from tests.training.voc_folder import halves, write_voc_folder
from training.__main__ import cli
from training.errors import ConfigError, DatasetError, ResumeError


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    masks = {"one": halves(0, 8), "two": halves(0, 15, beside=False)}
    root = write_voc_folder(tmp_path_factory.mktemp("data") / "made", masks)
    return write_voc_folder(root, masks, split="val")


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("backbone") / "backbone.safetensors"
    save_file(ResNet(width=8).state_dict(), file)
    return file


_SMALL = [
    *("--device", "cpu", "--set", "data.crop_size=64", "--set", "data.workers=0", "--set", "network.width=8"),
    *("--set", "run.tensorboard=false", "--set", "optimizer.learning_rate=0.001"),
]


def _train(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["train", *_SMALL, *map(str, arguments)])


@pytest.fixture(scope="module")
def weights(data: Path, backbone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    sources = ["--source", f"{data}:train:1", "--source", f"{data}:val:1"]
    result = _train(*sources, "--out", out, "--backbone", backbone, "--steps", "2")
    assert result.exit_code == 0, result.output
    assert str(out / "last.safetensors") in result.output
    assert "finished at step 2; waited for data" in result.output
    return out / "last.safetensors"


def test_train_writes_a_checkpoint_that_holds_its_settings(weights: Path) -> None:
    checkpoint = Checkpoint.load(weights)
    assert checkpoint.config.architecture == "fcn8s"
    assert checkpoint.summary.trained_on == "made train (2 images), made val (2 images)"
    assert checkpoint.summary.training["run"]["steps"] == checkpoint.summary.training["step"] == 2
    assert [source["per_batch"] for source in checkpoint.summary.training["data"]["sources"]] == [1, 1]


def test_train_leaves_a_log_and_curves(weights: Path) -> None:
    with Image.open(weights.with_name("curves.png")) as picture:
        assert picture.size[0] > picture.size[1] > 100
    assert weights.with_name("log.jsonl").exists()


def test_train_starts_from_the_backbone_given(weights: Path, backbone: Path) -> None:
    start, after = load_file(backbone)["conv1.weight"], Checkpoint.load(weights).weights["backbone.conv1.weight"]
    assert 0 < (after - start).abs().max() < 0.05 * start.abs().max()


def test_train_goes_on_from_a_checkpoint(weights: Path, data: Path, tmp_path: Path) -> None:
    before = replace(Checkpoint.load(weights), preprocessing=Preprocessing(mean=(0.5, 0.5, 0.5)))
    before.save(tmp_path / "start.safetensors")
    slow = ["--set", "optimizer.learning_rate=0.0001", "--set", "optimizer.head_learning_rate=0.0001"]
    other = ["--set", "network.architecture=fcn32s"]
    start = ["--start-from", tmp_path / "start.safetensors", "--source", f"{data}:train:2", "--steps", "1"]
    result = _train(*start, *slow, *other, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    after = Checkpoint.load(tmp_path / "last.safetensors")
    assert after.config == before.config
    assert after.preprocessing == before.preprocessing
    name = "classifier.weight"
    assert 0 < (after.weights[name] - before.weights[name]).abs().max() < 0.001


def test_a_run_that_ran_out_of_time_goes_on_and_ends_as_if_it_had_not(
    data: Path, backbone: Path, tmp_path: Path
) -> None:
    run = ["--source", f"{data}:train:2", "--backbone", backbone, "--steps", "3", "--set", "run.log_every=1"]
    assert _train(*run, "--out", tmp_path / "through").exit_code == 0
    stopped = _train(*run, "--out", tmp_path / "stopped", "--max-minutes", "0.00001")
    assert stopped.exit_code == 0, stopped.output
    assert "out of time at step 1" in stopped.output
    resumed = _train(*run, "--out", tmp_path / "stopped", "--resume", "auto")
    assert "finished at step 3" in resumed.output
    through, after = (Checkpoint.load(tmp_path / name / "last.safetensors") for name in ("through", "stopped"))
    assert all(torch.equal(weight, after.weights[name]) for name, weight in through.weights.items())
    steps = [json.loads(line)["step"] for line in (tmp_path / "stopped" / "log.jsonl").read_text().splitlines()]
    assert steps == [1, 2, 3]


def test_a_folder_that_holds_a_run_is_not_overwritten(weights: Path, data: Path) -> None:
    result = _train("--source", f"{data}:train:2", "--out", weights.parent)
    assert isinstance(result.exception, ResumeError)
    assert "--resume auto" in str(result.exception)


def test_a_run_is_not_resumed_with_other_settings(weights: Path, data: Path, backbone: Path) -> None:
    result = _train(
        *("--source", f"{data}:train:2", "--out", weights.parent, "--backbone", backbone),
        *("--steps", "3", "--resume", "auto"),
    )
    assert isinstance(result.exception, ResumeError)
    assert "data.sources, run.steps" in str(result.exception)


def test_show_config_lists_every_setting_and_trains_nothing(tmp_path: Path) -> None:
    result = _train("finetune", "--show-config", "--steps", "7", "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert "run.steps = 7" in result.output
    assert "data.crop_size = 64" in result.output
    assert "optimizer.frozen_stages = 2" in result.output
    assert not (tmp_path / "run").exists()


def test_resume_is_one_of_two_words(data: Path, tmp_path: Path) -> None:
    result = _train("--source", f"{data}:train:2", "--out", tmp_path / "run", "--resume", "maybe")
    assert result.exit_code == 2
    assert "'auto' or 'never'" in result.output


def test_a_folder_that_cannot_be_written_is_refused_before_the_data_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = _train("--data", tmp_path / "missing", "--out", tmp_path / "file/run")
    assert isinstance(result.exception, ConfigError)
    assert str(result.exception).startswith(
        f"the run's folder {tmp_path}/file/run cannot be written: {tmp_path}/file is"
    )


def test_more_batches_than_shared_memory_holds_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.commands.train._SHARED_MEMORY", tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1_000_000))
    source = ["--source", "here:train:16", "--set", "data.crop_size=320"]
    result = _train(*source, "--set", "data.workers=2", "--out", tmp_path / "run")
    assert isinstance(result.exception, ConfigError)
    assert "data.workers=2 takes up to 39 MB of shared memory, and" in str(result.exception)
    # Without such processes it is not asked for.
    result = _train(*source, "--set", "data.workers=0", "--out", tmp_path / "run")
    assert isinstance(result.exception, DatasetError)


def test_train_refuses_bfloat16_where_the_cpu_has_none(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.capabilities._onednn_has_bfloat16", lambda: False)
    options = ("--device", "cpu", "--set", "run.bfloat16=true")
    result = _train("--source", f"{data}:train:2", "--backbone", "random", "--out", tmp_path / "run", *options)
    assert isinstance(result.exception, DeviceError)
    assert "device 'cpu' does not compute in bfloat16: it takes" in str(result.exception)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("source", ["nowhere", "nowhere:train", "{data}:train:many"])
def test_a_source_that_is_none_is_refused_with_its_form(source: str, data: Path, tmp_path: Path) -> None:
    result = _train("--source", source.format(data=data), "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert "ROOT:LIST:N" in result.output
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("per_batch", [0, -1])
def test_a_source_without_a_share_of_the_batch_is_refused(per_batch: int, data: Path, tmp_path: Path) -> None:
    result = _train("--source", f"{data}:train:{per_batch}", "--out", tmp_path / "run")
    assert isinstance(result.exception, ConfigError)
    assert not (tmp_path / "run").exists()


def test_no_source_at_all_is_refused(tmp_path: Path) -> None:
    result = _train("--out", tmp_path / "run")
    assert isinstance(result.exception, ConfigError)
    assert "at least one source" in str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["evaluate", "absent.safetensors", "."], 1, "error: there is no weights file absent.safetensors"),
        (["train", "--device", "quantum"], 3, "error: device 'quantum' cannot be used"),
    ],
)
def test_an_error_ends_the_program_with_one_sentence(
    arguments: list[str],
    code: int,
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["training", *arguments])
    monkeypatch.delitem(sys.modules, "training.__main__", raising=False)
    with pytest.raises(SystemExit) as end:
        runpy.run_module("training", run_name="__main__")
    assert end.value.code == code
    written = capsys.readouterr().err
    assert written.startswith(sentence)
    assert len(written.splitlines()) == 1
