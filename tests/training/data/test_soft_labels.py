from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from training.data.soft_labels import SoftLabels
from training.errors import DatasetError


@pytest.fixture
def soft_labels() -> SoftLabels:
    return SoftLabels(np.random.default_rng(0).integers(0, 256, (3, 15, 18), dtype=np.uint8))


def test_what_is_saved_is_loaded(soft_labels: SoftLabels, tmp_path: Path) -> None:
    soft_labels.save(tmp_path / "one.npz")
    loaded = SoftLabels.load(tmp_path / "one.npz", 3)
    np.testing.assert_array_equal(loaded.probabilities, soft_labels.probabilities)
    assert [file.name for file in tmp_path.iterdir()] == ["one.npz"]


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"absent\.npz is missing"):
        SoftLabels.load(tmp_path / "absent.npz", 3)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.7, 0.99])
def test_a_file_cut_short_is_refused_by_name(share: float, soft_labels: SoftLabels, tmp_path: Path) -> None:
    file = tmp_path / "one.npz"
    soft_labels.save(file)
    file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])
    with pytest.raises(DatasetError, match=r"one\.npz holds no soft labels"):
        SoftLabels.load(file, 3)


def test_damage_anywhere_is_refused_or_changes_nothing(soft_labels: SoftLabels, tmp_path: Path) -> None:
    file = tmp_path / "one.npz"
    soft_labels.save(file)
    whole = file.read_bytes()
    refused = 0
    for place in range(0, len(whole), 7):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            loaded = SoftLabels.load(file, 3)
        except DatasetError:
            refused += 1
        else:
            np.testing.assert_array_equal(loaded.probabilities, soft_labels.probabilities)
    assert refused > len(whole) // 7 // 2


def test_other_files_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "one.npz"
    with file.open("wb") as stream:
        np.save(stream, np.zeros((3, 2, 2), dtype=np.uint8))
    with pytest.raises(DatasetError, match="holds no soft labels"):
        SoftLabels.load(file, 3)
    np.savez(file, others=np.zeros((3, 2, 2), dtype=np.uint8))
    with pytest.raises(DatasetError, match="holds no soft labels"):
        SoftLabels.load(file, 3)
    np.savez(file, probabilities=np.zeros((3, 2, 2), dtype=np.float32))
    with pytest.raises(DatasetError, match=r"holds \(3, 2, 2\) float32, not uint8 of 3 classes"):
        SoftLabels.load(file, 3)


def test_at_the_middles_of_cells_the_cells_probabilities_are_sampled(soft_labels: SoftLabels) -> None:
    sampled = soft_labels.sample((torch.arange(15) + 0.5) / 15, (torch.arange(18) + 0.5) / 18)
    assert sampled.shape == (3, 15, 18)
    assert sampled.dtype == torch.float32
    np.testing.assert_allclose(sampled, soft_labels.probabilities / 255, atol=1e-5)


def test_between_the_middles_probabilities_are_interpolated_by_hand() -> None:
    soft_labels = SoftLabels(np.array([[[0, 255], [51, 102]]], dtype=np.uint8))
    rows, columns = torch.tensor([0.0, 0.25, 0.5, 1.0]), torch.tensor([0.25, 0.375, 0.5, 0.75, 1.0])
    expected = [
        [0, 0.25, 0.5, 1, 1],
        [0, 0.25, 0.5, 1, 1],
        [0.1, 0.25, 0.4, 0.7, 0.7],
        [0.2, 0.25, 0.3, 0.4, 0.4],
    ]
    np.testing.assert_allclose(soft_labels.sample(rows, columns)[0], expected, atol=1e-6)


def test_outside_of_the_image_there_is_nothing() -> None:
    soft_labels = SoftLabels(np.full((2, 4, 4), 255, dtype=np.uint8))
    sampled = soft_labels.sample(torch.tensor([-0.1, 0.0, 1.0, 1.1]), torch.tensor([-0.01, 0.5, 1.5]))
    expected = np.outer([0, 1, 1, 0], [0, 1, 0])
    np.testing.assert_array_equal(sampled, np.stack([expected, expected]))


@settings(max_examples=25)
@given(rows=st.integers(1, 9), columns=st.integers(1, 9), seed=st.integers(0, 1000))
def test_a_constant_opinion_is_the_same_everywhere(rows: int, columns: int, seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 256, 4, dtype=np.uint8)
    soft_labels = SoftLabels(np.broadcast_to(values[:, None, None], (4, rows, columns)).copy())
    places = torch.from_numpy(np.random.default_rng(seed).random(5, dtype=np.float32))
    sampled = soft_labels.sample(places, places)
    np.testing.assert_allclose(sampled, np.broadcast_to(values[:, None, None] / 255, (4, 5, 5)), atol=1e-5)
