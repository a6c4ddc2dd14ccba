from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from model.errors import NetworkError
from model.labels import VOC, Labels
from model.networks import Architecture, NetworkConfig, build_network
from model.networks.resnet import ResNet
from model.preprocessing import DEFAULT_PREPROCESSING, Preprocessing
from tests.model.random_checkpoint import random_checkpoint, small_labels
from training.config import RunConfig, StartConfig, TrainConfig
from training.fit.initialization import starting_network

SMALL = NetworkConfig(Architecture.FCN8S, blocks=(1, 1, 1, 1), width=4, learned_upsampling=False)


def _config(start: StartConfig, seed: int = 0) -> TrainConfig:
    return TrainConfig(network=SMALL, start=start, run=RunConfig(seed=seed))


def test_a_random_start_has_the_configurations_network_and_the_labels_classes() -> None:
    labels = small_labels(5)
    network, config, preprocessing = starting_network(_config(StartConfig("random")), labels)
    assert config == replace(SMALL, num_classes=5)
    assert preprocessing == DEFAULT_PREPROCESSING
    assert network.training
    assert network.classifier.out_channels == 5
    assert network.backbone.conv1.weight.std() > 0


def test_the_seed_decides_a_random_start() -> None:
    one, again, other = (
        starting_network(_config(StartConfig("random"), seed), VOC)[0].state_dict() for seed in (3, 3, 4)
    )
    assert all(torch.equal(weight, again[name]) for name, weight in one.items())
    assert not torch.equal(one["backbone.conv1.weight"], other["backbone.conv1.weight"])


def test_a_backbone_is_read_from_its_file(tmp_path: Path) -> None:
    torch.manual_seed(9)
    weights = ResNet((1, 1, 1, 1), 4).state_dict()
    save_file(weights, tmp_path / "backbone.safetensors")
    network, _, _ = starting_network(_config(StartConfig(str(tmp_path / "backbone.safetensors"))), VOC)
    started = network.backbone.state_dict()
    assert all(torch.equal(weight, started[name]) for name, weight in weights.items())
    assert network.training


def test_a_missing_backbone_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match=r"absent\.safetensors cannot be read"):
        starting_network(_config(StartConfig(str(tmp_path / "absent.safetensors"))), VOC)


@pytest.mark.parametrize("architecture", list(Architecture))
def test_a_checkpoint_of_the_same_classes_stands_whole(architecture: Architecture, tmp_path: Path) -> None:
    preprocessing = Preprocessing(mean=(0.5, 0.5, 0.5))
    checkpoint = replace(random_checkpoint(architecture), preprocessing=preprocessing).compressed()
    checkpoint.save(tmp_path / "start.safetensors")
    start = StartConfig(checkpoint=tmp_path / "start.safetensors")
    network, config, read = starting_network(_config(start), small_labels(4))
    assert config == checkpoint.config
    assert read == preprocessing
    assert network.training
    started = network.state_dict()
    assert started.keys() == checkpoint.weights.keys()
    assert all(torch.equal(weight, checkpoint.weights[name]) for name, weight in started.items())
    assert network.classifier.weight.requires_grad
    assert network.backbone.conv1.weight.requires_grad


OTHER_COLORS = Labels(small_labels(4).names, tuple((index, 1, 2) for index in range(4)))


@pytest.mark.parametrize("architecture", list(Architecture))
@pytest.mark.parametrize("labels", [small_labels(7), OTHER_COLORS])
def test_of_a_checkpoint_of_other_classes_all_but_their_layers_stands(
    architecture: Architecture, labels: Labels, tmp_path: Path
) -> None:
    checkpoint = random_checkpoint(architecture).compressed()
    checkpoint.save(tmp_path / "start.safetensors")
    start = StartConfig(checkpoint=tmp_path / "start.safetensors")
    network, config, _ = starting_network(_config(start), labels)
    assert config == replace(checkpoint.config, num_classes=len(labels))
    assert network.training
    kept = {
        name
        for name, weight in network.state_dict().items()
        if weight.shape == checkpoint.weights[name].shape and torch.equal(weight, checkpoint.weights[name])
    }
    new = network.state_dict().keys() - kept
    backbone = {name for name in checkpoint.weights if name.startswith("backbone.")}
    assert backbone <= kept
    assert {"classifier.weight", "classifier.bias"} <= new
    assert {name.split(".")[0] for name in new} <= build_network(config).class_layers()
    assert all(parameter.requires_grad for parameter in network.backbone.parameters())


def test_another_network_takes_over_the_layers_that_it_shares(tmp_path: Path) -> None:
    checkpoint = random_checkpoint(Architecture.FCN8S_CONTEXT).compressed()
    checkpoint.save(tmp_path / "start.safetensors")
    wanted = replace(checkpoint.config, architecture=Architecture.FCN4S_CONTEXT)
    start = StartConfig(checkpoint=tmp_path / "start.safetensors", keep_network=False)
    network, config, _ = starting_network(TrainConfig(network=wanted, start=start), small_labels(4))
    assert config == wanted
    started = network.state_dict()
    assert started.keys() > checkpoint.weights.keys()
    assert all(torch.equal(started[name], weight) for name, weight in checkpoint.weights.items())
    assert network.training
