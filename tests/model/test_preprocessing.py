import numpy as np
import pytest
import torch

from model.preprocessing import DEFAULT_PREPROCESSING, Preprocessing


def test_known_values_of_the_default() -> None:
    images = torch.tensor([0, 255], dtype=torch.uint8).view(1, 1, 1, 2).expand(1, 3, 1, 2)
    normalised = DEFAULT_PREPROCESSING(images, torch.float64)[0, :, 0]
    expected = torch.tensor(
        [
            [-0.485 / 0.229, (1 - 0.485) / 0.229],
            [-0.456 / 0.224, (1 - 0.456) / 0.224],
            [-0.406 / 0.225, (1 - 0.406) / 0.225],
        ],
        dtype=torch.float64,
    )
    torch.testing.assert_close(normalised, expected, rtol=1e-12, atol=0)


def test_each_channel_has_its_own_mean_and_deviation() -> None:
    preprocessing = Preprocessing(mean=(0.0, 0.2, 0.4), std=(1.0, 0.5, 0.1))
    images = torch.full((2, 3, 4, 5), 102, dtype=torch.uint8)
    normalised = preprocessing(images)
    assert normalised.dtype == torch.float32
    torch.testing.assert_close(normalised[:, 0], torch.full((2, 4, 5), 0.4))
    torch.testing.assert_close(normalised[:, 1], torch.full((2, 4, 5), 0.4))
    torch.testing.assert_close(normalised[:, 2], torch.zeros(2, 4, 5), rtol=0, atol=1e-5)


def test_black_and_white_of_some_channel_are_the_bounds() -> None:
    preprocessing = Preprocessing(mean=(0.0, 0.2, 0.4), std=(1.0, 0.5, 0.1))
    normalised = preprocessing(torch.tensor([0, 255], dtype=torch.uint8).view(1, 1, 1, 2).expand(1, 3, 1, 2))
    assert preprocessing.bounds == pytest.approx((normalised.min().item(), normalised.max().item()))


def test_the_mean_colour_becomes_zero_to_within_rounding() -> None:
    color = torch.tensor(DEFAULT_PREPROCESSING.mean_color, dtype=torch.uint8)
    assert color.tolist() == [124, 116, 104]
    half_a_step = 0.5 / 255 / 0.22
    assert DEFAULT_PREPROCESSING(color.view(1, 3, 1, 1)).abs().max() <= half_a_step


def test_padding_has_the_mean_colour_below_and_at_the_right() -> None:
    image = np.random.default_rng(0).integers(0, 256, (2, 3, 3), dtype=np.uint8)
    padded = DEFAULT_PREPROCESSING.pad(image, 4, 5)
    np.testing.assert_array_equal(padded[:2, :3], image)
    assert padded.shape == (4, 5, 3)
    assert (padded[2:] == DEFAULT_PREPROCESSING.mean_color).all()
    assert (padded[:, 3:] == DEFAULT_PREPROCESSING.mean_color).all()
    assert DEFAULT_PREPROCESSING.pad(image, 2, 3) is image


@pytest.mark.parametrize("memory_format", [torch.channels_last, torch.contiguous_format])
def test_the_memory_format_is_kept(memory_format: torch.memory_format) -> None:
    images = torch.zeros(2, 3, 8, 8, dtype=torch.uint8).contiguous(memory_format=memory_format)
    assert DEFAULT_PREPROCESSING(images).is_contiguous(memory_format=memory_format)


def test_the_image_itself_stays_as_it_is() -> None:
    images = torch.randint(0, 256, (1, 3, 8, 8), dtype=torch.uint8)
    before = images.clone()
    DEFAULT_PREPROCESSING(images)
    assert torch.equal(images, before)
