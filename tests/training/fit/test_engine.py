import json
import os
import re
import signal
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from model.checkpoint import Checkpoint
from model.labels import IGNORE_INDEX, Labels
from model.networks import FCN, Architecture, NetworkConfig, build_network
from model.segmenter import Segmenter
from model.tiling import Tiling
from tests.training.voc_folder import Picture, halves, write_voc_folder
from training.config import TrainConfig
from training.data.batches import Source
from training.data.dataset import Sample, VocDataset
from training.data.soft_labels import SoftLabels
from training.errors import ConfigError, DivergedError
from training.evaluation.evaluation import evaluate
from training.export.export import export
from training.fit.engine import Ending, Trainer
from training.fit.state import RunState

LABELS = Labels(
    names=("ground", "sky", "sea", "tree"), colors=((200, 30, 30), (30, 200, 30), (30, 30, 200), (220, 220, 30))
)
CONFIG = NetworkConfig(Architecture.FCN8S, num_classes=4, blocks=(1, 1, 1, 1), width=8)


def _masks() -> dict[str, Picture]:
    return {
        "one": halves(0, 1, 64, 64),
        "two": halves(2, 3, 64, 64, beside=False),
        "three": halves(1, 2, 64, 64, beside=False),
        "four": halves(3, 0, 64, 64),
    }


@pytest.fixture
def dataset(tmp_path: Path) -> VocDataset:
    return VocDataset(write_voc_folder(tmp_path / "made", _masks(), labels=LABELS), "train", LABELS)


def _network() -> FCN:
    torch.manual_seed(0)
    return build_network(CONFIG)


class _Interrupted(VocDataset):
    """Sends the trainer a signal when it reads its ``at_sample``-th sample."""

    def __init__(self, root: Path, split: str, labels: Labels, at_sample: int) -> None:
        super().__init__(root, split, labels)
        self._trainer = os.getpid()
        self._left = at_sample

    def __getitem__(self, index: int) -> Sample:
        if self._left == 0:
            os.kill(self._trainer, signal.SIGTERM)
        self._left -= 1
        return super().__getitem__(index)


def _assert_equal(one: object, two: object) -> None:
    if isinstance(one, torch.Tensor):
        assert isinstance(two, torch.Tensor)
        assert torch.equal(one, two)
    elif isinstance(one, dict):
        assert isinstance(two, dict)
        assert one.keys() == two.keys()
        for key, value in one.items():
            _assert_equal(value, two[key])
    elif isinstance(one, list):
        assert isinstance(two, list)
        assert len(one) == len(two)
        for value, other in zip(one, two, strict=True):
            _assert_equal(value, other)
    else:
        assert one == two


_PLAIN: dict[str, dict[str, object]] = {
    "data": {"min_scale": 1, "max_scale": 1, "color_jitter": 0, "crop_size": 64, "workers": 0},
    "optimizer": {"warmup_steps": 0, "ema_decay": 0},
    "run": {"log_every": 1, "tensorboard": False},
}


def _settings(steps: int, **others: object) -> TrainConfig:
    """Settings of a small run; the keys of ``others`` are ``section__name``."""
    document = {section: dict(values) for section, values in _PLAIN.items()}
    for path, value in {"run__steps": steps, **others}.items():
        section, name = path.split("__")
        document.setdefault(section, {})[name] = value
    return TrainConfig.from_document(document)


def _trainer(network: FCN, dataset: VocDataset, config: TrainConfig, folder: Path, **others: Any) -> Trainer:
    return Trainer(network, CONFIG, LABELS, [Source(dataset, 4)], config, folder, torch.device("cpu"), **others)


def _train(network: FCN, dataset: VocDataset, config: TrainConfig, folder: Path) -> Checkpoint:
    trainer = _trainer(network, dataset, config, folder)
    trainer.train()
    return trainer.checkpoint()


def _log(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


@pytest.mark.every_cpu
def test_four_images_are_learned_by_heart(dataset: VocDataset, tmp_path: Path) -> None:
    config = _settings(80, optimizer__learning_rate=0.05, optimizer__head_learning_rate=0.1, optimizer__weight_decay=0)
    checkpoint = _train(_network(), dataset, config, tmp_path / "run")
    scores = evaluate(Segmenter(checkpoint, "cpu"), dataset, Tiling.WHOLE, ["sky", "tree"])
    assert scores.pixel_accuracy >= 0.99
    assert scores.miou >= 0.97
    assert scores.miou_chosen is not None
    assert scores.miou_chosen >= 0.97
    log = _log(tmp_path / "run")
    assert [record["step"] for record in log] == list(range(1, 81))
    assert log[-1]["loss"] < 0.1 * log[0]["loss"]


def test_a_record_holds_the_means_of_its_steps_and_the_last_learning_rate(dataset: VocDataset, tmp_path: Path) -> None:
    _train(_network(), dataset, _settings(6), tmp_path / "each")
    _train(_network(), dataset, _settings(6, run__log_every=3), tmp_path / "thirds")
    each, thirds = _log(tmp_path / "each"), _log(tmp_path / "thirds")
    assert [record["step"] for record in thirds] == [3, 6]
    for record, steps in zip(thirds, (each[:3], each[3:]), strict=True):
        for name in ("loss", "accuracy"):
            assert record[name] == pytest.approx(sum(step[name] for step in steps) / 3)
        assert record["learning_rate"] == steps[-1]["learning_rate"]


def test_the_checkpoint_on_disk_is_the_one_returned(dataset: VocDataset, tmp_path: Path) -> None:
    trainer = _trainer(_network(), dataset, _settings(2), tmp_path / "run")
    outcome = trainer.train()
    returned = trainer.checkpoint()
    assert outcome.ending is Ending.FINISHED
    assert outcome.step == 2
    assert 0 <= outcome.wait_share <= 1
    read = Checkpoint.load(trainer.checkpoint_file)
    assert read.config == CONFIG
    assert read.labels == LABELS
    assert read.summary.trained_on == "made train (4 images)"
    assert read.summary.training["step"] == 2
    assert TrainConfig.from_document({k: v for k, v in read.summary.training.items() if k != "step"}) == _settings(2)
    for name, weight in returned.compressed().weights.items():
        assert torch.equal(read.weights[name], weight.float() if weight.is_floating_point() else weight), name


def test_a_run_repeats_itself(dataset: VocDataset, tmp_path: Path) -> None:
    config = _settings(3, data__color_jitter=0.2, data__min_scale=0.5, data__max_scale=1.5)
    first = _train(_network(), dataset, config, tmp_path / "first")
    second = _train(_network(), dataset, config, tmp_path / "second")
    assert all(torch.equal(weight, second.weights[name]) for name, weight in first.weights.items())


@pytest.mark.parametrize(
    "others",
    [
        {},
        {"optimizer__name": "adamw", "optimizer__lr_schedule": "cosine"},
        {"loss__auxiliary": 0.4, "loss__ohem_fraction": 0.3, "loss__lovasz": 0.5, "optimizer__clip_norm": 1.0},
        {"data__color_jitter": 0.2, "data__min_scale": 0.5, "run__bfloat16": True, "data__workers": 1},
    ],
    ids=["sgd", "adamw", "auxiliary", "workers"],
)
@pytest.mark.parametrize("stopped_after", [1, 3])
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_steps_in_two_runs_are_bit_for_bit_those_of_one(
    dataset: VocDataset, tmp_path: Path, stopped_after: int, others: dict[str, object]
) -> None:
    settings = {"optimizer__ema_decay": 0.9, "optimizer__warmup_steps": 2, **others}
    config = _settings(5, **settings)
    through = _trainer(_network(), dataset, config, tmp_path / "through")
    through.train()
    interrupted = _Interrupted(dataset.root, "train", LABELS, at_sample=4 * (stopped_after - 1))
    outcome = _trainer(_network(), interrupted, config, tmp_path / "halves").train()
    assert outcome.ending is Ending.INTERRUPTED
    assert 1 <= outcome.step < 5
    torch.manual_seed(99)  # the resuming process may have drawn any numbers before
    second = _trainer(build_network(CONFIG), dataset, config, tmp_path / "halves")
    second.resume()
    assert second.train().step == 5
    for name in ("network", "average", "optimizer"):
        one, two = (RunState.load(trainer.state_file).tensors[name] for trainer in (through, second))
        _assert_equal(one, two)


def test_the_running_average_lags_behind_the_last_weights(dataset: VocDataset, tmp_path: Path) -> None:
    start = _network().state_dict()["classifier.weight"]
    last = _train(_network(), dataset, _settings(4), tmp_path / "last")
    averaged = _train(_network(), dataset, _settings(4, optimizer__ema_decay=0.9), tmp_path / "average")
    moved = [(run.weights["classifier.weight"] - start).norm() for run in (averaged, last)]
    assert 0 < moved[0] < moved[1]


@pytest.mark.parametrize("ema_decay", [0, 0.9])
def test_frozen_stages_stay_bit_identical_statistics_included(
    dataset: VocDataset, tmp_path: Path, ema_decay: float
) -> None:
    before = {name: weight.clone() for name, weight in _network().state_dict().items()}
    config = _settings(3, optimizer__frozen_stages=3, optimizer__ema_decay=ema_decay)
    after = _train(_network(), dataset, config, tmp_path / "run").weights
    frozen = ("backbone.conv1", "backbone.bn1", "backbone.layer1", "backbone.layer2")
    for name, weight in before.items():
        if name.startswith(frozen):
            assert torch.equal(after[name], weight), name
    for name in ("backbone.layer3.0.conv1.weight", "backbone.layer3.0.bn1.running_mean", "classifier.weight"):
        assert not torch.equal(after[name], before[name]), name


@pytest.mark.every_cpu
def test_void_pixels_are_not_trained_on(tmp_path: Path) -> None:
    masks = _masks()
    void = {name: np.full_like(mask, IGNORE_INDEX) for name, mask in masks.items()}
    dataset = VocDataset(write_voc_folder(tmp_path / "void", void, labels=LABELS), "train", LABELS)
    config = _settings(2, optimizer__weight_decay=0)
    after = _train(_network(), dataset, config, tmp_path / "run").weights
    for name, parameter in _network().named_parameters():
        assert torch.equal(after[name], parameter), name
    log = _log(tmp_path / "run")
    assert [record["loss"] for record in log] == [0, 0]


def test_a_diverging_loss_stops_the_run_and_names_the_step(dataset: VocDataset, tmp_path: Path) -> None:
    network = _network()
    with torch.no_grad():
        network.classifier.bias.fill_(float("nan"))  # type: ignore[union-attr]
    trainer = _trainer(network, dataset, _settings(5), tmp_path / "run")
    with pytest.raises(DivergedError, match="the loss is nan at step 1") as diverged:
        trainer.train()
    assert not trainer.checkpoint_file.exists()
    assert str(trainer.checkpoint_file) not in str(diverged.value)


def test_a_run_that_diverges_later_names_its_last_checkpoint(dataset: VocDataset, tmp_path: Path) -> None:
    config = _settings(30, optimizer__learning_rate=1e30, optimizer__head_learning_rate=1e30, run__save_every=1)
    trainer = _trainer(_network(), dataset, config, tmp_path / "run")
    file = re.escape(str(trainer.checkpoint_file))
    with pytest.raises(DivergedError, match=rf"the loss is (nan|inf) at step [2-9].*{file}"):
        trainer.train()
    assert trainer.checkpoint_file.is_file()


def test_bfloat16_trains_too(dataset: VocDataset, tmp_path: Path) -> None:
    config = _settings(2, run__bfloat16=True)
    checkpoint = _train(_network(), dataset, config, tmp_path / "run")
    assert all(weight.isfinite().all() for weight in checkpoint.weights.values())
    assert not torch.equal(checkpoint.weights["classifier.weight"], _network().state_dict()["classifier.weight"])


@pytest.mark.every_cpu
def test_an_exported_file_is_what_the_service_loads(dataset: VocDataset, tmp_path: Path) -> None:
    checkpoint = _train(_network(), dataset, _settings(3), tmp_path / "run")
    image = np.random.default_rng(0).integers(0, 256, (70, 90, 3), dtype=np.uint8)
    export(checkpoint, image, checkpoint.summary, tmp_path / "served.safetensors")
    segmenter = Segmenter.load(tmp_path / "served.safetensors", "cpu")
    golden = segmenter.checkpoint.golden
    assert golden is not None
    np.testing.assert_array_equal(golden.image, image)
    np.testing.assert_array_equal(golden.mask, segmenter.segment(image, tiling=Tiling.WHOLE).mask)
    assert segmenter.checkpoint.labels == LABELS


def test_an_interrupted_run_ends_after_the_step_and_restores_the_handlers(dataset: VocDataset, tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    interrupted = _Interrupted(dataset.root, "train", LABELS, at_sample=5)
    outcome = _trainer(_network(), interrupted, _settings(9), tmp_path / "run").train()
    assert outcome.ending is Ending.INTERRUPTED
    assert outcome.step == 2
    assert RunState.load(tmp_path / "run" / "state.pt").step == 2
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


@pytest.mark.parametrize(
    ("shares", "ending"),
    [([0.5, 0.0], Ending.OUT_OF_TIME), ([0.0, 0.5], Ending.INTERRUPTED), ([0.0, 0.0], None)],
)
def test_a_process_ends_for_the_reason_that_another_has(
    shares: list[float], ending: Ending | None, dataset: VocDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = _trainer(_network(), dataset, _settings(1), tmp_path / "run")
    monkeypatch.setattr(trainer, "_processes", SimpleNamespace(count=2, means=lambda _: shares))
    assert trainer._early_ending(is_late=False, is_interrupted=False) is ending


def test_validation_is_logged_and_the_best_checkpoint_kept(dataset: VocDataset, tmp_path: Path) -> None:
    config = _settings(4, run__validate_every=2)
    trainer = _trainer(_network(), dataset, config, tmp_path / "run", validation=dataset)
    trainer.train()
    validated = [record for record in _log(tmp_path / "run") if "val_miou" in record]
    assert [record["step"] for record in validated] == [2, 4]
    best = max(validated, key=lambda record: record["val_miou"])
    scores = evaluate(Segmenter(Checkpoint.load(tmp_path / "run" / "best.safetensors"), "cpu"), dataset)
    assert scores.miou == pytest.approx(best["val_miou"], abs=0.01)


def test_sampled_pixels_train_as_all_pixels_do(dataset: VocDataset, tmp_path: Path) -> None:
    network_config = replace(CONFIG, learned_upsampling=False)
    torch.manual_seed(0)
    config = _settings(80, loss__pixel_stride=4, optimizer__learning_rate=0.05, optimizer__weight_decay=0)
    sources = [Source(dataset, 4)]
    network = build_network(network_config)
    trainer = Trainer(network, network_config, LABELS, sources, config, tmp_path / "run", torch.device("cpu"))
    trainer.train()
    assert evaluate(Segmenter(trainer.checkpoint(), "cpu"), dataset).pixel_accuracy >= 0.98


def test_sampled_pixels_want_bilinear_upsampling(dataset: VocDataset, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="learned_upsampling"):
        _trainer(_network(), dataset, _settings(1, loss__pixel_stride=2), tmp_path / "run")


def test_an_exploding_loss_stops_the_run(dataset: VocDataset, tmp_path: Path) -> None:
    network = _network()
    with torch.no_grad():
        network.classifier.bias.copy_(torch.tensor([0.0, 1e4, 0.0, 0.0]))  # type: ignore[union-attr]
    with pytest.raises(DivergedError, match=r"the loss exploded: .* at step 1; last good checkpoint: none"):
        _trainer(network, dataset, _settings(5), tmp_path / "run").train()


def test_a_teacher_is_learned_from_where_there_are_no_masks(dataset: VocDataset, tmp_path: Path) -> None:
    for name, mask in _masks().items():
        wanted = (mask[::4, ::4][None] == np.arange(4)[:, None, None]).astype(np.uint8) * 255
        (tmp_path / "soft").mkdir(exist_ok=True)
        SoftLabels(wanted).save(tmp_path / "soft" / f"{name}.npz")
    taught = VocDataset(dataset.root, "train", LABELS, soft_labels=tmp_path / "soft", labelled=False)
    config = _settings(80, loss__distillation=1.0, optimizer__learning_rate=0.05, optimizer__weight_decay=0)
    trainer = _trainer(_network(), taught, config, tmp_path / "run")
    trainer.train()
    assert evaluate(Segmenter(trainer.checkpoint(), "cpu"), dataset).pixel_accuracy >= 0.98
    assert {record["loss"] for record in _log(tmp_path / "run")} == {0}
