import json
import re
from pathlib import Path
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
from training.batches import Source
from training.config import TrainConfig
from training.dataset import VocDataset
from training.engine import Ending, Trainer
from training.errors import DivergedError
from training.evaluation import evaluate
from training.export import export

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


_PLAIN: dict[str, dict[str, object]] = {
    "data": {"min_scale": 1, "max_scale": 1, "color_jitter": 0, "crop_size": 64, "workers": 0},
    "optimizer": {"warmup_steps": 0, "ema_decay": 0},
    "run": {"log_every": 1, "tensorboard": False},
}


def _settings(steps: int, **others: object) -> TrainConfig:
    """Settings of a small run; ``others`` are written ``section__name``."""
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
    for name, weight in returned.compact().weights.items():
        assert torch.equal(read.weights[name], weight.float() if weight.is_floating_point() else weight), name


def test_a_run_repeats_itself(dataset: VocDataset, tmp_path: Path) -> None:
    config = _settings(3, data__color_jitter=0.2, data__min_scale=0.5, data__max_scale=1.5)
    first = _train(_network(), dataset, config, tmp_path / "first")
    second = _train(_network(), dataset, config, tmp_path / "second")
    assert all(torch.equal(weight, second.weights[name]) for name, weight in first.weights.items())


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
    with pytest.raises(DivergedError, match=re.escape(str(trainer.checkpoint_file))):
        trainer.train()
    assert trainer.checkpoint_file.is_file()


def test_a_learning_rate_far_too_high_diverges(dataset: VocDataset, tmp_path: Path) -> None:
    config = _settings(30, optimizer__learning_rate=1e30, optimizer__head_learning_rate=1e30)
    with pytest.raises(DivergedError, match=r"the loss is (nan|inf) at step [2-9]"):
        _train(_network(), dataset, config, tmp_path / "run")


def test_bfloat16_trains_too(dataset: VocDataset, tmp_path: Path) -> None:
    config = _settings(2, run__bfloat16=True)
    checkpoint = _train(_network(), dataset, config, tmp_path / "run")
    assert all(weight.isfinite().all() for weight in checkpoint.weights.values())
    assert not torch.equal(checkpoint.weights["classifier.weight"], _network().state_dict()["classifier.weight"])


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
