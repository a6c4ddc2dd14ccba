import numpy as np
import pytest
from numpy.typing import NDArray

from model.segmenter import Segmenter
from model.tiling import Tiling, TilingLimits
from tests.model.noise import noise
from tests.model.random_checkpoint import random_checkpoint
from tests.training.voc_folder import halves
from training.evaluation.augmented_prediction import PLAIN, Views, predict_mask


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter(random_checkpoint(), "cpu", TilingLimits(overlap_height=32, overlap_width=64))


@pytest.mark.parametrize("tiling", [Tiling.WHOLE, Tiling.OVERLAP])
def test_the_plain_view_is_what_the_segmenter_predicts(segmenter: Segmenter, tiling: Tiling) -> None:
    image = noise(70, 90)
    expected = segmenter.segment(image, tiling=tiling).mask
    assert len(np.unique(expected)) > 1
    np.testing.assert_array_equal(predict_mask(segmenter, image, tiling), expected)
    np.testing.assert_array_equal(predict_mask(segmenter, image, tiling, Views((1.0, 1.0))), expected)


@pytest.mark.parametrize("tiling", [Tiling.WHOLE, Tiling.OVERLAP])
def test_flip_averages_the_probabilities_of_image_and_mirror(segmenter: Segmenter, tiling: Tiling) -> None:
    image = noise(70, 90)
    straight = segmenter.probabilities(image, tiling=tiling)
    mirrored = segmenter.probabilities(image[:, ::-1], tiling=tiling)[:, :, ::-1]
    mask = predict_mask(segmenter, image, tiling, Views(flip=True))
    np.testing.assert_array_equal(mask, ((straight + mirrored) / 2).argmax(axis=0))
    assert (mask != straight.argmax(axis=0)).any()


@pytest.mark.parametrize("scales", [(1.0,), (0.5, 1.25)])
def test_with_flip_the_mirrors_mask_is_the_masks_mirror(segmenter: Segmenter, scales: tuple[float, ...]) -> None:
    image, views = noise(64, 96), Views(scales, flip=True)
    mask = predict_mask(segmenter, image, views=views)
    assert len(np.unique(mask)) > 1
    # Resizing a mirrored image may round a colour the other way.
    assert (predict_mask(segmenter, image[:, ::-1], views=views)[:, ::-1] == mask).mean() > 0.99


def test_each_scale_is_predicted_at_its_size_and_laid_over_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[tuple[int, ...], Tiling]] = []

    def probabilities(
        self: Segmenter, image: NDArray[np.uint8], *, tiling: Tiling = Tiling.AUTO
    ) -> NDArray[np.float32]:
        """Certain of class 1 where the image is bright; 0.6 for class 2 everywhere if the image is small."""
        seen.append((image.shape, tiling))
        result = np.zeros((4, *image.shape[:2]), dtype=np.float32)
        if image.shape[0] < 40:
            result[2] = 0.6
        else:
            result[1] = image[..., 0] > 127
        return result

    monkeypatch.setattr(Segmenter, "probabilities", probabilities)
    image = np.repeat(halves(0, 255, 40, 60)[..., None], 3, axis=2)
    mask = predict_mask(Segmenter(random_checkpoint(), "cpu"), image, Tiling.EXACT, Views((0.5, 1.5)))
    assert seen == [((20, 30, 3), Tiling.EXACT), ((60, 90, 3), Tiling.EXACT)]
    np.testing.assert_array_equal(mask, halves(2, 1, 40, 60))
    assert mask.dtype == np.uint8


def test_a_smaller_views_pixels_cover_those_they_were_made_of(monkeypatch: pytest.MonkeyPatch) -> None:
    def probabilities(
        self: Segmenter, image: NDArray[np.uint8], *, tiling: Tiling = Tiling.AUTO
    ) -> NDArray[np.float32]:
        """Class 1 in the first column, class 0 in the others."""
        result = np.zeros((4, *image.shape[:2]), dtype=np.float32)
        result[0, :, 1:] = result[1, :, :1] = 1
        return result

    monkeypatch.setattr(Segmenter, "probabilities", probabilities)
    mask = predict_mask(Segmenter(random_checkpoint(), "cpu"), noise(40, 60), views=Views((0.25,)))
    assert (mask[:, :4] == 1).all()
    assert (mask[:, 4:] == 0).all()


def test_an_image_of_one_pixel_has_views_of_one_pixel(segmenter: Segmenter) -> None:
    assert predict_mask(segmenter, noise(1, 1), views=Views((0.25, 1.0), flip=True)).shape == (1, 1)


def test_only_the_image_itself_is_plain() -> None:
    assert PLAIN.plain
    assert not Views(flip=True).plain
    assert not Views((1.0, 2.0)).plain
    assert not Views((2.0,)).plain
