import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from model.errors import CheckpointError
from model.labels import VOC
from model.segmenter import Segmenter
from tests.model.random_checkpoint import random_checkpoint, small_labels
from tests.training.window_interpreter import RED_STEP, RedInterpreter, install
from training.errors import TeacherError
from training.teacher import CheckpointTeacher, WindowTeacher, _places, _windows, grid_size


@pytest.fixture
def tflite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    install(monkeypatch, RedInterpreter)
    file = tmp_path / "teacher.tflite"
    file.write_bytes(b"stands for a network")
    return file


def _noise(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(("height", "width", "rows", "columns"), [(64, 96, 16, 24), (65, 97, 17, 25), (1, 3, 1, 1)])
def test_a_checkpoints_opinion_covers_the_image_in_cells(
    height: int, width: int, rows: int, columns: int, tmp_path: Path
) -> None:
    random_checkpoint().save(tmp_path / "teacher.safetensors")
    teacher = CheckpointTeacher(tmp_path / "teacher.safetensors", "cpu")
    assert teacher.labels == small_labels(4)
    image = _noise(height, width)
    assert grid_size(image) == (rows, columns)
    probabilities = teacher.probabilities(image)
    assert probabilities.shape == (4, rows, columns)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=0), 1, atol=1e-5)


def test_a_checkpoints_opinion_is_that_of_its_pixels(tmp_path: Path) -> None:
    random_checkpoint().save(tmp_path / "teacher.safetensors")
    image = _noise(96, 128)
    probabilities = CheckpointTeacher(tmp_path / "teacher.safetensors", "cpu").probabilities(image)
    of_pixels = Segmenter(random_checkpoint().compact(), "cpu").probabilities(image)
    of_cells = of_pixels.reshape(4, 24, 4, 32, 4).mean(axis=(2, 4))
    assert np.ptp(of_cells[0]) > 0.2
    assert np.abs(probabilities - of_cells).mean() < 0.01
    assert np.abs(probabilities - of_cells[:, :, ::-1]).mean() > 0.05


def test_a_missing_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no weights file"):
        CheckpointTeacher(tmp_path / "absent.safetensors", "cpu")


@given(rows=st.integers(1, 300), columns=st.integers(1, 300))
@example(rows=1, columns=300)
def test_windows_cover_every_cell(rows: int, columns: int) -> None:
    windows = _windows(rows, columns)
    count = np.zeros((rows, columns), dtype=np.int64)
    for top, left, side in windows:
        assert side >= 1
        assert 0 <= top < rows
        assert 0 <= left < columns
        count[top : top + side, left : left + side] += 1
    assert count.min() >= 1
    assert windows[0] == (0, 0, max(rows, columns))
    assert all(top + side <= rows and left + side <= columns for top, left, side in windows[1:])


@given(length=st.integers(1, 500), side=st.integers(1, 500))
def test_places_reach_both_ends_without_a_gap_up_to_three_sides(length: int, side: int) -> None:
    side = max(min(side, length), -(-length // 3))
    places = _places(length, side)
    assert places[0] == 0
    assert places[-1] == length - side
    assert all(after - before <= side for before, after in pairwise(places))


def test_windows_by_hand() -> None:
    assert _places(8, 8) == [0]
    assert _places(8, 6) == [0, 2]
    assert _places(16, 8) == [0, 4, 8]
    assert _windows(8, 8) == [(0, 0, 8), (0, 0, 8), (0, 0, 6), (2, 0, 6), (0, 2, 6), (2, 2, 6)]
    assert _windows(8, 10)[:3] == [(0, 0, 10), (0, 0, 8), (0, 2, 8)]


@pytest.mark.parametrize(("height", "width"), [(128, 128), (96, 160), (200, 80), (97, 131)])
def test_opinions_of_windows_are_laid_where_they_belong(height: int, width: int, tflite: Path) -> None:
    quarters = np.zeros((height, width), dtype=np.uint8)
    quarters[:, width // 2 :] = 1
    quarters[height // 2 :] += 2
    teacher = WindowTeacher(tflite, small_labels(4))
    probabilities = teacher.probabilities(np.stack([quarters * RED_STEP] * 3, axis=-1))
    rows, columns = -(-height // 4), -(-width // 4)
    assert probabilities.shape == (4, rows, columns)
    np.testing.assert_allclose(probabilities.sum(axis=0), 1, atol=1e-5)
    margin = 4
    top, bottom = slice(0, rows // 2 - margin), slice(rows // 2 + margin, rows - margin)
    left, right = slice(0, columns // 2 - margin), slice(columns // 2 + margin, columns - margin)
    for index, place in enumerate([(top, left), (top, right), (bottom, left), (bottom, right)]):
        assert probabilities[index][place].min() > 0.99


def test_a_file_that_is_no_network_is_refused(tmp_path: Path, tflite: Path) -> None:
    with pytest.raises(TeacherError, match=r"absent\.tflite is no TensorFlow Lite network: could not open"):
        WindowTeacher(tmp_path / "absent.tflite", small_labels(4))


def test_a_network_of_other_classes_is_refused(tflite: Path) -> None:
    with pytest.raises(TeacherError, match=r"teacher\.tflite reads .* and gives .*: not what is wanted"):
        WindowTeacher(tflite, VOC)


def test_a_network_of_images_that_are_no_squares_is_refused(tflite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Oblong(RedInterpreter):
        input_shape = (1, 64, 32, 3)

    install(monkeypatch, Oblong)
    with pytest.raises(TeacherError, match="not what is wanted"):
        WindowTeacher(tflite, small_labels(4))


def test_without_the_interpreter_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(TeacherError, match="install the extra 'teacher'"):
        WindowTeacher(tmp_path / "teacher.tflite", VOC)


def test_deeplab_finds_the_cat(shared_data: Path, cat: NDArray[np.uint8]) -> None:
    pytest.importorskip("ai_edge_litert")
    file = shared_data / "weights" / "deeplabv3_257_mv_gpu.tflite"
    if not file.is_file():
        pytest.skip(f"{file.name} is not among the weights")
    probabilities = WindowTeacher(file, VOC).probabilities(cat)
    assert probabilities.shape == (21, 75, 113)
    found = np.bincount(probabilities.argmax(axis=0).ravel(), minlength=21)
    assert found[1:].argmax() + 1 == VOC.names.index("cat")
    assert found[VOC.names.index("cat")] > 0.1 * 75 * 113
