from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from model.checkpoint import Checkpoint
from model.errors import CheckpointError
from model.networks import Architecture
from model.weight_compression import StorageDtype
from tests.model.random_checkpoint import random_checkpoint


@pytest.fixture(scope="module")
def large() -> Checkpoint:
    """A checkpoint with the shape of the shipped network."""
    checkpoint = random_checkpoint(Architecture.FCN8S, num_classes=21, blocks=(2, 2, 2, 3), width=64)
    return replace(checkpoint, storage_dtype=StorageDtype.INT8)


@pytest.fixture(scope="module")
def large_file(large: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("large") / "weights.safetensors"
    large.save(path)
    return path


def test_int8_makes_the_network_that_ships_less_than_25_megabytes(large_file: Path) -> None:
    assert 16e6 < large_file.stat().st_size < 25e6
    stored = load_file(large_file)
    rounded = {name for name, tensor in stored.items() if tensor.dtype == torch.int8}
    kernels = {f"network.backbone.layer4.{block}.conv{number}.weight" for block in range(3) for number in (1, 2)}
    assert rounded == kernels


def test_int8_comes_back_as_compacted_and_is_saved_as_the_same_file(large: Checkpoint, large_file: Path) -> None:
    read, compacted = Checkpoint.load(large_file), large.compressed()
    assert read.storage_dtype is compacted.storage_dtype is StorageDtype.INT8
    assert read.weights.keys() == large.weights.keys()
    for name, weight in compacted.weights.items():
        assert torch.equal(read.weights[name], weight), name
        assert weight.dtype == large.weights[name].dtype
    read.save(large_file.with_name("again.safetensors"))
    assert large_file.with_name("again.safetensors").read_bytes() == large_file.read_bytes()


def test_int8_can_be_saved_as_float16(large_file: Path, tmp_path: Path) -> None:
    replace(Checkpoint.load(large_file), storage_dtype=StorageDtype.FLOAT16).save(tmp_path / "half.safetensors")
    stored = load_file(tmp_path / "half.safetensors")
    assert stored["network.backbone.layer4.0.conv1.weight"].dtype == torch.float16
    assert Checkpoint.load(tmp_path / "half.safetensors").storage_dtype is StorageDtype.FLOAT16


def test_int8_without_one_of_its_scales_is_refused(large_file: Path, tmp_path: Path) -> None:
    tensors = load_file(large_file)
    del tensors["scale.backbone.layer4.1.conv2.weight"]
    with safe_open(large_file, framework="pt") as opened:
        save_file(tensors, tmp_path / "damaged.safetensors", opened.metadata())
    message = r"damaged\.safetensors is damaged: weight backbone\.layer4\.1\.conv2\.weight is int8 and has no scale"
    with pytest.raises(CheckpointError, match=message):
        Checkpoint.load(tmp_path / "damaged.safetensors")
