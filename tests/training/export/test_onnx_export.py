import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray

from model.checkpoint import Checkpoint, Golden, Summary
from model.networks import Architecture
from model.preprocessing import Preprocessing
from model.segmenter import Segmenter
from model.tiling import Tiling
from tests.model.random_checkpoint import random_checkpoint
from training.errors import ExportError
from training.export.onnx_export import Equality, PhotographNetwork, export_onnx


def _checkpoint(architecture: Architecture = Architecture.FCN32S, *, learned_upsampling: bool = False) -> Checkpoint:
    checkpoint = random_checkpoint(architecture, num_classes=5, learned_upsampling=learned_upsampling)
    return replace(
        checkpoint,
        preprocessing=Preprocessing(mean=(0.5, 0.4, 0.3)),
        summary=Summary(name="trial", licenses="MIT"),
        digest="abc123",
    )


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("onnx") / "network.onnx"
    export_onnx(_checkpoint(), file)
    return file


def _session(file: Path) -> Any:
    return onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])


def _run(session: Any, *images: NDArray[np.uint8]) -> NDArray[np.float32]:
    logits: NDArray[np.float32] = session.run(["logits"], {"image": np.stack(images).transpose(0, 3, 1, 2)})[0]
    return logits


@pytest.mark.slow
@pytest.mark.parametrize("learned_upsampling", [False, True])
@pytest.mark.parametrize("architecture", Architecture)
def test_every_network_gives_the_segmenters_masks_at_every_size(
    architecture: Architecture, learned_upsampling: bool, tmp_path: Path
) -> None:
    checkpoint = _checkpoint(architecture, learned_upsampling=learned_upsampling)
    file = tmp_path / "network.onnx"
    assert export_onnx(checkpoint, file).holds
    session, segmenter = _session(file), Segmenter(checkpoint, "cpu")
    random = np.random.default_rng(0)
    for height, width in ((1, 1), (32, 64), (33, 31), (120, 7), (97, 224)):
        image = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
        logits = _run(session, image)
        assert logits.dtype == np.float32
        assert logits.shape == (1, 5, height, width)
        expected = segmenter.segment(image, tiling=Tiling.WHOLE).mask
        nearest = np.partition(logits[0], -2, axis=0)
        clear = nearest[-1] - nearest[-2] > 1e-3
        assert clear.mean() > 0.9
        np.testing.assert_array_equal(logits[0].argmax(axis=0)[clear], expected[clear])


@pytest.mark.slow
def test_images_of_a_batch_do_not_mix(exported: Path) -> None:
    session = _session(exported)
    first, second, third = np.random.default_rng(0).integers(0, 256, (3, 40, 50, 3), dtype=np.uint8)
    together = _run(session, first, second, third)
    alone = np.concatenate([_run(session, image) for image in (first, second, third)])
    np.testing.assert_allclose(together, alone, atol=1e-4)
    assert np.abs(together[0] - together[1]).max() > 0.1


def test_the_file_says_what_it_takes_gives_and_means(exported: Path) -> None:
    session = _session(exported)
    (image,), (logits,) = session.get_inputs(), session.get_outputs()
    assert (image.name, image.type, image.shape) == ("image", "tensor(uint8)", ["batch", 3, "height", "width"])
    assert (logits.name, logits.type, logits.shape) == ("logits", "tensor(float)", ["batch", 5, "height", "width"])
    metadata = session.get_modelmeta().custom_metadata_map
    assert (metadata["name"], metadata["sha256"], metadata["licenses"]) == ("trial", "abc123", "MIT")
    assert json.loads(metadata["classes"])[1] == {"index": 1, "name": "class 1", "color": [128, 0, 0]}
    assert len(json.loads(metadata["classes"])) == 5


def test_the_file_is_one_valid_file_that_names_none_of_the_exporters_folders(exported: Path) -> None:
    assert [path.name for path in exported.parent.iterdir()] == ["network.onnx"]
    onnx.checker.check_model(exported, full_check=True)
    content = exported.read_bytes()
    assert b"stack_trace" not in content
    assert b".py" not in content


@pytest.mark.slow
def test_the_golden_photograph_is_compared_too(tmp_path: Path) -> None:
    golden = Golden(np.full((600, 40, 3), 7, dtype=np.uint8), np.zeros((600, 40), dtype=np.uint8))
    equality = export_onnx(replace(_checkpoint(), golden=golden), tmp_path / "network.onnx")
    noise = 1 * 1 + 2 * 64 * 96 + 3 * 33 * 160
    assert equality.pixels == noise + 512 * 40


class _OtherSession:
    """A session whose classes are in a different order."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        self._session = onnxruntime.InferenceSession(*arguments, **keywords)

    def run(self, *arguments: Any) -> list[NDArray[np.float32]]:
        return [self._session.run(*arguments)[0][:, ::-1]]


class _SmallerSession(_OtherSession):
    def run(self, *arguments: Any) -> list[NDArray[np.float32]]:
        return [self._session.run(*arguments)[0][..., :1]]


class _BrokenSession(_OtherSession):
    def run(self, *arguments: Any) -> list[NDArray[np.float32]]:
        return [self._session.run(*arguments)[0] * np.float32("nan")]


class _Sessions:
    def __init__(self, session: type[_OtherSession]) -> None:
        self.InferenceSession = session


@pytest.mark.slow
@pytest.mark.parametrize(
    ("session", "message"),
    [
        (_OtherSession, r"ONNX differs from PyTorch by \d.* and in \d+ of \d+ pixels"),
        (_BrokenSession, r"ONNX differs from PyTorch by nan"),
        (_SmallerSession, r"does not run correctly in onnxruntime: logits of an input \(2, 3, 64, 96\) have shape"),
    ],
)
def test_a_file_that_differs_is_not_kept_and_an_older_one_is(
    session: type[_OtherSession], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "network.onnx").write_text("older")
    monkeypatch.setitem(sys.modules, "onnxruntime", _Sessions(session))
    with pytest.raises(ExportError, match=message):
        export_onnx(_checkpoint(), tmp_path / "network.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["network.onnx"]
    assert (tmp_path / "network.onnx").read_text() == "older"


@pytest.mark.parametrize(("difference", "holds"), [(0.9e-3, True), (1.1e-3, False), (float("nan"), False)])
def test_equality_is_a_ten_thousandth_of_the_largest_logit(difference: float, holds: bool) -> None:
    assert Equality(difference, 10.0, 100, 0).holds is holds


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_a_missing_package_is_named_with_how_to_install_it(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ExportError, match=rf"ONNX needs {package}: pip install --editable '\.\[train,onnx\]'"):
        export_onnx(_checkpoint(), tmp_path / "network.onnx")


def test_padding_is_of_the_mean_colour_as_the_segmenters() -> None:
    checkpoint = _checkpoint()
    color = checkpoint.preprocessing.mean_color
    image = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (1, 3, 40, 50), dtype=np.uint8))
    padded = torch.tensor(color, dtype=torch.uint8).view(1, 3, 1, 1).repeat(1, 1, 64, 64)
    padded[..., :40, :50] = image
    network = PhotographNetwork(checkpoint)
    with torch.inference_mode():
        assert torch.equal(network(image), network(padded)[..., :40, :50])
