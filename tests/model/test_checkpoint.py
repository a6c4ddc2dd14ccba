import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from model.checkpoint import Checkpoint, Golden, Summary
from model.errors import CheckpointError
from model.labels import Labels
from model.networks import Architecture
from model.networks.resnet import ResNet
from model.precision import Precision
from model.preprocessing import Preprocessing
from model.segmenter import DEFAULT_WEIGHTS, Segmenter
from model.tiling import Tiling
from tests.model.calibrated import calibrated
from tests.model.random_checkpoint import random_checkpoint
from tests.precisions import needs_int8

LABELS = Labels(names=("road", "tree", "sky"), colors=((1, 2, 3), (10, 20, 30), (200, 0, 7)), void_color=(9, 9, 9))
SUMMARY = Summary(
    name="trial", trained_on="made", training={"steps": 7, "per_batch": [2, 1]}, scores={"miou": 0.5}, licenses="none"
)


def _checkpoint() -> Checkpoint:
    checkpoint = random_checkpoint(Architecture.FCN8S, num_classes=3, learned_upsampling=True)
    checkpoint = replace(checkpoint, labels=LABELS, summary=SUMMARY, preprocessing=Preprocessing(mean=(0.5, 0.4, 0.3)))
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    mask = Segmenter(checkpoint.compressed(), "cpu").segment(image, tiling=Tiling.WHOLE).mask
    return replace(checkpoint, golden=Golden(image, mask))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "weights.safetensors"
    _checkpoint().save(path)
    return path


def _rewrite(file: Path, header: str | None, tensors: dict[str, Tensor] | None = None) -> None:
    metadata = None if header is None else {"fcn_checkpoint": header}
    save_file(load_file(file) if tensors is None else tensors, file, metadata)


def test_everything_but_rounding_comes_back(file: Path) -> None:
    written, read = _checkpoint(), Checkpoint.load(file)
    assert read.config == written.config
    assert read.labels == LABELS
    assert read.summary == SUMMARY
    assert read.preprocessing == written.preprocessing
    assert read.golden is not None
    assert written.golden is not None
    np.testing.assert_array_equal(read.golden.image, written.golden.image)
    np.testing.assert_array_equal(read.golden.mask, written.golden.mask)
    assert read.weights.keys() == written.weights.keys()
    for name, weight in written.weights.items():
        expected = weight.half().float() if weight.ndim > 1 else weight
        assert read.weights[name].dtype == weight.dtype
        assert torch.equal(read.weights[name], expected), name


def test_kernels_are_stored_in_float16_and_statistics_in_float32(file: Path) -> None:
    stored = load_file(file)
    assert stored["network.classifier.weight"].dtype == torch.float16
    assert stored["network.backbone.bn1.running_var"].dtype == torch.float32


def test_a_kernel_beyond_float16s_range_stays_float32(tmp_path: Path) -> None:
    checkpoint = random_checkpoint()
    weights = {**checkpoint.weights, "classifier.weight": checkpoint.weights["classifier.weight"] * 1e6}
    replace(checkpoint, weights=weights).save(tmp_path / "large.safetensors")
    read = Checkpoint.load(tmp_path / "large.safetensors").weights
    assert torch.equal(read["classifier.weight"], weights["classifier.weight"])
    assert torch.equal(read["backbone.conv1.weight"], weights["backbone.conv1.weight"].half().float())


def test_the_weights_that_ship_name_no_folder_of_the_machine_that_trained_them() -> None:
    assert '"/' not in json.dumps(Checkpoint.load(DEFAULT_WEIGHTS).summary.training)


def test_the_weights_that_ship_load_with_the_digest_of_their_file() -> None:
    checkpoint = Checkpoint.load(DEFAULT_WEIGHTS)
    assert checkpoint.digest == hashlib.sha256(DEFAULT_WEIGHTS.read_bytes()).hexdigest()
    assert {weight.dtype for weight in checkpoint.weights.values()} == {torch.float32, torch.int64}


def test_saving_leaves_nothing_but_the_file_and_replaces_an_older_one(file: Path) -> None:
    replace(_checkpoint(), summary=Summary(name="newer")).save(file)
    assert [path.name for path in file.parent.iterdir()] == ["weights.safetensors"]
    assert Checkpoint.load(file).summary.name == "newer"


def test_a_save_that_fails_leaves_the_older_file_whole(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = file.read_bytes()

    def disk_full(path: Path, data: bytes) -> int:
        with path.open("wb") as unfinished:
            unfinished.write(data[: len(data) // 2])
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "write_bytes", disk_full)
    with pytest.raises(OSError, match="no space left"):
        _checkpoint().save(file)
    assert file.read_bytes() == before


def test_the_segmenter_loads_what_was_saved(file: Path) -> None:
    segmenter = Segmenter.load(file, "cpu")
    golden = segmenter.checkpoint.golden
    assert golden is not None
    assert len(np.unique(golden.mask)) > 1
    np.testing.assert_array_equal(segmenter.segment(golden.image, tiling=Tiling.WHOLE).mask, golden.mask)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"there is no weights file .*absent\.safetensors"):
        Checkpoint.load(tmp_path / "absent.safetensors")
    with pytest.raises(CheckpointError, match="there is no weights file"):
        Checkpoint.load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"garbage", b"\xff" * 4096])
def test_garbage_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "garbage.safetensors"
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"garbage\.safetensors is damaged or is not a safetensors file"):
        Checkpoint.load(file)


@pytest.mark.parametrize("kept", [4, 100, -1])
def test_a_truncated_file_is_refused(file: Path, kept: int) -> None:
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match="is damaged or is not a safetensors file"):
        Checkpoint.load(file)


def test_a_pickle_is_never_read(tmp_path: Path) -> None:
    file = tmp_path / "weights.pth"
    torch.save(dict(random_checkpoint().weights), file)
    with pytest.raises(CheckpointError, match=r"weights\.pth is damaged or is not a safetensors file"):
        Checkpoint.load(file)


def test_a_foreign_safetensors_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "backbone.safetensors"
    save_file(ResNet(width=1).state_dict(), file, {"format": "pt"})
    with pytest.raises(CheckpointError, match="was not written by this project: it has no fcn_checkpoint header"):
        Checkpoint.load(file)


@pytest.mark.parametrize("header", ["not JSON", "{}", "[]", '{"network": {"architecture": "unet"}}'])
def test_an_unusable_header_is_refused(file: Path, header: str) -> None:
    _rewrite(file, header)
    with pytest.raises(CheckpointError, match=r"weights\.safetensors has an unusable header"):
        Checkpoint.load(file)


def _header(file: Path) -> dict[str, object]:
    checkpoint = Checkpoint.load(file)
    network = checkpoint.config
    return {
        "network": {"architecture": network.architecture, "num_classes": 3, "blocks": network.blocks, "width": 4},
        "labels": {"names": LABELS.names, "colors": LABELS.colors, "void_color": LABELS.void_color},
        "preprocessing": {},
        "summary": {},
    }


def test_a_later_format_is_refused(file: Path) -> None:
    header = _header(file)
    _rewrite(file, json.dumps(header))
    assert Checkpoint.load(file).labels == LABELS
    _rewrite(file, json.dumps({**header, "version": 3}))
    with pytest.raises(CheckpointError, match="has format 3; this version reads 1 and 2"):
        Checkpoint.load(file)


def test_an_inconsistent_class_table_in_the_header_is_refused(file: Path) -> None:
    header = _header(file)
    header["labels"] = {"names": ["a", "a", "b"], "colors": LABELS.colors}
    _rewrite(file, json.dumps(header))
    with pytest.raises(CheckpointError, match=r"unusable header: labels: .*a occurs 2 times"):
        Checkpoint.load(file)


def test_ranges_come_back(tmp_path: Path) -> None:
    ranges = ((-2.5, 1e-30), (0.0, float(np.float32(0.1))), (3.0, 3.0))
    replace(random_checkpoint(), activation_ranges=ranges).save(tmp_path / "calibrated.safetensors")
    assert Checkpoint.load(tmp_path / "calibrated.safetensors").activation_ranges == ranges


def test_a_file_from_before_there_were_ranges_has_none(file: Path) -> None:
    header = _header(file)
    assert "ranges" not in header
    _rewrite(file, json.dumps(header))
    assert Checkpoint.load(file).activation_ranges == ()


@pytest.mark.parametrize(
    ("field", "numbers"),
    [("mean", [5, 0, 0]), ("mean", [-1, 0, 0]), ("mean", [float("nan"), 0, 0]), ("std", [0, 1, 1])],
)
def test_unusable_preprocessing_is_refused(file: Path, field: str, numbers: list[float]) -> None:
    preprocessing = {"mean": [0.5, 0.5, 0.5], "std": [0.2, 0.2, 0.2], field: numbers}
    _rewrite(file, json.dumps({**_header(file), "preprocessing": preprocessing}))
    with pytest.raises(CheckpointError, match=r"has an unusable header: preprocessing"):
        Checkpoint.load(file)


@pytest.mark.parametrize("ranges", [[1, 2], [[1, 2, 3]], [["low", 2]], [[0, float("nan")]], [[float("-inf"), 0]]])
def test_unusable_ranges_are_refused(file: Path, ranges: list[object]) -> None:
    _rewrite(file, json.dumps({**_header(file), "ranges": ranges}))
    with pytest.raises(CheckpointError, match=r"has an unusable header: ranges\.0"):
        Checkpoint.load(file)


@needs_int8
def test_ranges_that_are_not_those_of_the_weights_are_found_by_the_golden_image(file: Path) -> None:
    checkpoint = Checkpoint.load(file)
    assert checkpoint.golden is not None
    sound = calibrated(checkpoint, checkpoint.golden.image[:32, :64])
    sound.save(file)
    Segmenter.load(file, "cpu", precision=Precision.INT8)
    replace(sound, activation_ranges=tuple((low / 50, high / 50) for low, high in sound.activation_ranges)).save(file)
    with pytest.raises(CheckpointError, match=r"golden image's mask differs in \d+\.\d% of the pixels"):
        Segmenter.load(file, "cpu", precision=Precision.INT8)


def test_labels_for_another_number_of_classes_are_refused() -> None:
    with pytest.raises(CheckpointError, match="3 labels for a network of 4 classes"):
        replace(random_checkpoint(), labels=LABELS)


@pytest.mark.every_cpu
def test_tampered_weights_are_refused_with_the_share_of_pixels_that_differ(file: Path) -> None:
    checkpoint = Checkpoint.load(file)
    tampered = {**checkpoint.weights, "classifier.weight": -checkpoint.weights["classifier.weight"]}
    replace(checkpoint, weights=tampered).save(file)
    with pytest.raises(CheckpointError, match=r"golden image's mask differs in \d+\.\d% of the pixels"):
        Segmenter.load(file, "cpu")


def test_a_file_without_a_golden_sample_is_refused_by_the_segmenter(file: Path) -> None:
    replace(Checkpoint.load(file), golden=None).save(file)
    assert Checkpoint.load(file).golden is None
    with pytest.raises(CheckpointError, match="has no golden sample"):
        Segmenter.load(file, "cpu")


def test_an_unusable_golden_sample_is_refused(file: Path) -> None:
    checkpoint = Checkpoint.load(file)
    assert checkpoint.golden is not None
    replace(checkpoint, golden=Golden(checkpoint.golden.image, checkpoint.golden.mask[:-1])).save(file)
    with pytest.raises(CheckpointError, match="unusable golden sample"):
        Checkpoint.load(file)


def test_weights_that_do_not_fit_the_network_are_refused() -> None:
    checkpoint = random_checkpoint()
    wrong_shape = {**checkpoint.weights, "classifier.weight": torch.zeros(4, 3, 1, 1)}
    with pytest.raises(CheckpointError, match=r"fcn32s of width 4: classifier\.weight is \(4, 3, 1, 1\), but"):
        replace(checkpoint, weights=wrong_shape).build()
    missing = {name: weight for name, weight in checkpoint.weights.items() if name != "classifier.bias"}
    with pytest.raises(CheckpointError, match=r"classifier\.bias is missing"):
        replace(checkpoint, weights=missing).build()
    with pytest.raises(CheckpointError, match=r"classifier\.scale is not part of it"):
        replace(checkpoint, weights={**checkpoint.weights, "classifier.scale": torch.zeros(3)}).build()


def test_a_file_that_names_a_network_of_absurd_width_is_refused_before_it_is_allocated(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = {"architecture": "fcn32s", "num_classes": 3, "blocks": [64, 64, 64, 64], "width": 1024}
    _rewrite(file, json.dumps({**_header(file), "network": network}))
    allocated: list[int] = []
    empty = torch.empty
    monkeypatch.setattr(torch, "empty", lambda *size, **options: _recorded(empty(*size, **options), allocated))
    with pytest.raises(CheckpointError, match=r"of width 1024: backbone\.\S+ is \(4, .*\), but must be \(1024,"):
        Segmenter.load(file, "cpu")
    assert sum(allocated) < 1 << 20


def _recorded(tensor: torch.Tensor, allocated: list[int]) -> torch.Tensor:
    if tensor.device.type != "meta":
        allocated.append(tensor.nbytes)
    return tensor


def test_a_built_network_is_ready_for_prediction() -> None:
    network = random_checkpoint().build()
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
