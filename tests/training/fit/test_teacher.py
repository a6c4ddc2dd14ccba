import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from model.labels import VOC
from model.segmenter import Segmenter
from tests.model.noise import noise
from tests.model.random_checkpoint import random_checkpoint, small_labels
from tests.training.window_interpreter import RED_STEP, RedInterpreter, install
from training.errors import TeacherError
from training.evaluation.augmented_prediction import Views
from training.fit.teacher import CheckpointTeacher, TFLiteTeacher, _origins, grid_size


@pytest.fixture
def tflite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    install(monkeypatch, RedInterpreter)
    file = tmp_path / "teacher.tflite"
    file.write_bytes(b"stands for a network")
    return file


@pytest.mark.parametrize(("height", "width", "rows", "columns"), [(64, 96, 8, 12), (65, 97, 9, 13), (1, 3, 1, 1)])
def test_a_checkpoints_probabilities_cover_the_image_in_cells(
    height: int, width: int, rows: int, columns: int, tmp_path: Path
) -> None:
    random_checkpoint().save(tmp_path / "teacher.safetensors")
    teacher = CheckpointTeacher(tmp_path / "teacher.safetensors", "cpu")
    assert teacher.labels == small_labels(4)
    image = noise(height, width)
    assert grid_size(image) == (rows, columns)
    probabilities = teacher.probabilities(image)
    assert probabilities.shape == (4, rows, columns)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=0), 1, atol=1e-5)


def test_a_checkpoints_probabilities_are_those_of_its_pixels(tmp_path: Path) -> None:
    random_checkpoint().save(tmp_path / "teacher.safetensors")
    image = noise(96, 128)
    probabilities = CheckpointTeacher(tmp_path / "teacher.safetensors", "cpu").probabilities(image)
    of_pixels = Segmenter(random_checkpoint().compressed(), "cpu").probabilities(image)
    of_cells = of_pixels.reshape(4, 12, 8, 16, 8).mean(axis=(2, 4))
    assert np.ptp(of_cells[0]) > 0.2
    assert np.abs(probabilities - of_cells).mean() < 0.01
    assert np.abs(probabilities - of_cells[:, :, ::-1]).mean() > 0.05


@given(length=st.integers(1, 5000), side=st.integers(16, 1000))
def test_windows_begin_at_one_end_reach_the_other_and_overlap(length: int, side: int) -> None:
    origins = _origins(length, side)
    assert origins[0] == 0
    assert origins[-1] == max(0, length - side)
    assert all(after - before <= 0.75 * side + 1 for before, after in pairwise(origins))


def test_origins_by_hand() -> None:
    assert _origins(5, 8) == _origins(8, 8) == [0]
    assert _origins(9, 8) == [0, 1]
    assert _origins(16, 8) == [0, 4, 8]


@pytest.mark.parametrize("scales", [(), (0.1,), (1.0, 9.0)])
def test_scales_out_of_range_are_refused(scales: tuple[float, ...], tmp_path: Path) -> None:
    with pytest.raises(TeacherError, match=r"scales are in 0\.25\.\.8"):
        TFLiteTeacher(tmp_path / "teacher.tflite", VOC, Views(scales))


@pytest.mark.parametrize("quantized", [False, True])
@pytest.mark.parametrize("views", [Views(), Views(flip=True), Views((1.0, 2.5), flip=True)])
@pytest.mark.parametrize(("height", "width"), [(128, 128), (96, 160), (200, 80), (97, 131)])
def test_each_window_is_laid_where_it_belongs(
    height: int, width: int, views: Views, quantized: bool, tflite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interpreter(RedInterpreter):
        pass

    Interpreter.quantized = quantized
    install(monkeypatch, Interpreter)
    quarters = np.zeros((height, width), dtype=np.uint8)
    quarters[:, width // 2 :] = 1
    quarters[height // 2 :] += 2
    teacher = TFLiteTeacher(tflite, small_labels(4), views)
    probabilities = teacher.probabilities(np.stack([quarters * RED_STEP] * 3, axis=-1))
    rows, columns = -(-height // 8), -(-width // 8)
    assert probabilities.shape == (4, rows, columns)
    np.testing.assert_allclose(probabilities.sum(axis=0), 1, atol=1e-5)
    margin = 2
    top, bottom = slice(0, rows // 2 - margin), slice(rows // 2 + margin, rows - margin)
    left, right = slice(0, columns // 2 - margin), slice(columns // 2 + margin, columns - margin)
    for index, place in enumerate([(top, left), (top, right), (bottom, left), (bottom, right)]):
        assert probabilities[index][place].min() > 0.99


def test_a_file_that_is_no_network_is_refused(tmp_path: Path, tflite: Path) -> None:
    with pytest.raises(TeacherError, match=r"absent\.tflite is no TensorFlow Lite network: could not open"):
        TFLiteTeacher(tmp_path / "absent.tflite", small_labels(4), Views())


def test_a_network_of_other_classes_is_refused(tflite: Path) -> None:
    with pytest.raises(TeacherError, match=r"teacher\.tflite has no tensor of logits of 21 classes"):
        TFLiteTeacher(tflite, VOC, Views())


def test_a_network_of_images_that_are_no_squares_is_refused(tflite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Oblong(RedInterpreter):
        input_shape = (1, 64, 32, 3)

    install(monkeypatch, Oblong)
    with pytest.raises(TeacherError, match=r"reads \[1, 64, 32, 3\] float32: not a square RGB image"):
        TFLiteTeacher(tflite, small_labels(4), Views())


def test_without_the_interpreter_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(TeacherError, match="install the extra 'teacher'"):
        TFLiteTeacher(tmp_path / "teacher.tflite", VOC, Views())


@pytest.mark.parametrize("name", ["deeplabv3_257_mv_gpu.tflite", "deeplabv3_513_mnv2_int8.tflite"])
def test_deeplab_finds_the_cat(name: str, shared_data: Path, cat: NDArray[np.uint8]) -> None:
    pytest.importorskip("ai_edge_litert")
    file = shared_data / "weights" / name
    if not file.is_file():
        pytest.skip(f"{file.name} is not among the weights")
    probabilities = TFLiteTeacher(file, VOC, Views(flip=True)).probabilities(cat)
    assert probabilities.shape == (21, 38, 57)
    found = np.bincount(probabilities.argmax(axis=0).ravel(), minlength=21)
    assert found[1:].argmax() + 1 == VOC.names.index("cat")
    assert found[VOC.names.index("cat")] > 0.1 * 38 * 57
