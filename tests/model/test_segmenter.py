from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch.nn import functional

from model.checkpoint import Checkpoint
from model.errors import DeviceError, ImageError, TilingError
from model.networks import Architecture
from model.precision import Precision
from model.segmenter import Segmenter
from model.tiling import Tiling, TilingLimits
from model.upsampling import LearnedUpsampling, bilinear_kernel
from tests.model.noise import noise
from tests.model.random_checkpoint import random_checkpoint


@cache
def _segmenter() -> Segmenter:
    limits = TilingLimits(band_pixels=64 * 128, small_image_pixels=64 * 128, overlap_height=64, overlap_width=96)
    return Segmenter(random_checkpoint(Architecture.FCN8S), "cpu", limits, Precision.FLOAT64)


def _logits(checkpoint: Checkpoint, image: NDArray[np.uint8]) -> torch.Tensor:
    """Logits of the network and a dense transposed convolution, (K, height, width) float64; sides multiples of 32."""
    network = checkpoint.build().double()
    images = torch.from_numpy(image.copy()).permute(2, 0, 1)[None]
    scores = network.scores(checkpoint.preprocessing(images, torch.float64))
    s, k = network.stride, checkpoint.config.num_classes
    upsampling = network.upsampling
    kernel, bias = bilinear_kernel(k, k, 2 * s, torch.float64), None
    if isinstance(upsampling, LearnedUpsampling):
        kernel, bias = upsampling.weight, upsampling.bias
    return functional.conv_transpose2d(scores, kernel, bias, stride=s, padding=s // 2)[0]


def _predict_with_overlap(
    checkpoint: Checkpoint, image: NDArray[np.uint8], tops: list[int], lefts: list[int], size: tuple[int, int]
) -> NDArray[np.int64]:
    """Predict as the book says (14.11.5).

    Several rectangles whose sides are multiples of the stride cover the image. The outputs of the transposed
    convolution are averaged where a pixel is covered more than once. The class is the greatest softmax of the average.
    """
    total = torch.zeros(checkpoint.config.num_classes, *image.shape[:2], dtype=torch.float64)
    count = torch.zeros(image.shape[:2], dtype=torch.float64)
    for top in tops:
        for left in lefts:
            area = slice(top, top + size[0]), slice(left, left + size[1])
            total[:, *area] += _logits(checkpoint, image[area])
            count[area] += 1
    assert count.min() >= 1
    classes: NDArray[np.int64] = (total / count).softmax(dim=0).argmax(dim=0).numpy()
    return classes


@pytest.mark.parametrize("learned_upsampling", [False, True])
@pytest.mark.parametrize("architecture", list(Architecture))
def test_overlap_is_the_books_prediction(architecture: Architecture, learned_upsampling: bool) -> None:
    checkpoint = random_checkpoint(architecture, learned_upsampling=learned_upsampling)
    image = noise(150, 200)
    segmenter = Segmenter(checkpoint, "cpu", TilingLimits(overlap_height=64, overlap_width=96), Precision.FLOAT64)
    expected = _predict_with_overlap(checkpoint, image, [0, 43, 86], [0, 52, 104], (64, 96))
    assert len(np.unique(expected)) > 1
    np.testing.assert_array_equal(segmenter.segment(image, tiling=Tiling.OVERLAP).mask, expected)


def test_overlap_of_the_books_image_in_the_books_rectangles() -> None:
    checkpoint = random_checkpoint()
    image = noise(375, 500)
    expected = _predict_with_overlap(checkpoint, image, [0, 55], [0, 20], (320, 480))
    mask = Segmenter(checkpoint, "cpu", precision=Precision.FLOAT64).segment(image, tiling=Tiling.OVERLAP).mask
    np.testing.assert_array_equal(mask, expected)


@pytest.mark.parametrize("architecture", list(Architecture))
def test_whole_is_one_pass_over_the_image_padded_with_the_mean_colour(architecture: Architecture) -> None:
    segmenter = Segmenter(random_checkpoint(architecture), "cpu", precision=Precision.FLOAT64)
    image = noise(70, 50)
    padded = np.full((96, 64, 3), segmenter.checkpoint.preprocessing.mean_color, dtype=np.uint8)
    padded[:70, :50] = image
    expected = _logits(segmenter.checkpoint, padded)[:, :70, :50].argmax(dim=0)
    np.testing.assert_array_equal(segmenter.segment(image, tiling=Tiling.WHOLE).mask, expected.numpy())


@pytest.mark.parametrize("learned_upsampling", [False, True])
@pytest.mark.parametrize("architecture", list(Architecture))
@pytest.mark.parametrize(("height", "width"), [(1100, 150), (150, 1100)])
def test_exact_gives_the_mask_of_whole(
    architecture: Architecture, learned_upsampling: bool, height: int, width: int
) -> None:
    checkpoint = random_checkpoint(architecture, learned_upsampling=learned_upsampling)
    # 64 rows at a time, or columns if 32 rows have too many pixels.
    limits = TilingLimits(band_pixels=64 * 160, small_image_pixels=64 * 160)
    assert limits.should_transpose(height, width) == (width > height)
    segmenter = Segmenter(checkpoint, "cpu", limits, Precision.FLOAT64)
    image = noise(height, width)
    whole = segmenter.segment(image, tiling=Tiling.WHOLE, confidence=True)
    assert len(np.unique(whole.mask)) > 1
    for tiling in (Tiling.EXACT, Tiling.AUTO):
        exact = segmenter.segment(image, tiling=tiling, confidence=True)
        np.testing.assert_array_equal(exact.mask, whole.mask)
        np.testing.assert_array_equal(exact.confidence, whole.confidence)
    np.testing.assert_allclose(
        segmenter.probabilities(image, tiling=Tiling.EXACT),
        segmenter.probabilities(image, tiling=Tiling.WHOLE),
        atol=1e-6,
    )


def test_bands_come_from_top_to_bottom_and_as_soon_as_they_are_known() -> None:
    image = noise(1000, 100)
    bands = list(_segmenter().bands(image, tiling=Tiling.EXACT, confidence=True))
    rows = [len(band.mask) for band in bands]
    # FCN-8s needs less than 320 pixels below a row.
    assert all(sum(rows[: number + 1]) >= 64 * (number + 1) - 320 for number in range(1024 // 64))
    assert max(rows) <= 64
    assert sum(rows) == 1000
    whole = _segmenter().segment(image, tiling=Tiling.WHOLE, confidence=True)
    np.testing.assert_array_equal(np.concatenate([band.mask for band in bands]), whole.mask)
    sure = [band.confidence for band in bands if band.confidence is not None]
    np.testing.assert_array_equal(np.concatenate(sure), whole.confidence)


def test_auto_takes_one_pass_for_photographs_and_bands_above() -> None:
    assert len(list(_segmenter().bands(noise(64, 128)))) == 1
    assert len(list(_segmenter().bands(noise(65, 128)))) > 1


def test_each_band_takes_time() -> None:
    bands = list(_segmenter().bands(noise(200, 128)))
    assert all(band.timings.forward_s > 0 for band in bands)
    assert sum(band.timings.preprocess_s > 0 for band in bands) == 256 // 64


def test_images_predicted_together_are_predicted_as_each_alone() -> None:
    images = [noise(64, 96), noise(63, 70, seed=1), noise(40, 96, seed=2)]
    together = _segmenter().segment_together(images, confidence=True)
    for image, result in zip(images, together, strict=True):
        alone = _segmenter().segment(image, tiling=Tiling.WHOLE, confidence=True)
        np.testing.assert_array_equal(result.mask, alone.mask)
        np.testing.assert_array_equal(result.confidence, alone.confidence)


def test_a_prediction_can_be_interrupted_before_any_layer() -> None:
    class Stop(Exception):  # noqa: N818 (not an error)
        pass

    def stop_at(number: int) -> Callable[[], None]:
        calls = iter(range(number, -1, -1))

        def interrupt() -> None:
            if next(calls) == 0:
                raise Stop

        return interrupt

    segmenter, image = _segmenter(), noise(64, 96)
    for number in (0, 1, 10):
        with pytest.raises(Stop):
            segmenter.segment_together([image], interrupt=stop_at(number))
    (whole,) = segmenter.segment_together([image], interrupt=stop_at(1_000))
    np.testing.assert_array_equal(whole.mask, segmenter.segment(image, tiling=Tiling.WHOLE).mask)


def test_images_of_different_sizes_are_not_predicted_together() -> None:
    with pytest.raises(ImageError, match=r"predicted together must have one size, not \[\(64, 96\), \(64, 128\)\]"):
        _segmenter().segment_together([noise(64, 96), noise(64, 97)])


@settings(max_examples=30)
@given(height=st.integers(1, 100), width=st.integers(1, 100), tiling=st.sampled_from(Tiling))
def test_the_mask_has_the_images_size(height: int, width: int, tiling: Tiling) -> None:
    result = _segmenter().segment(noise(height, width), tiling=tiling, confidence=True)
    assert result.mask.shape == (height, width)
    assert result.mask.dtype == np.uint8
    assert result.mask.max() < 4
    assert result.confidence is not None
    assert result.confidence.shape == (height, width)


def test_confidence_is_255_times_the_winning_probability() -> None:
    segmenter = _segmenter()
    image = noise(64, 96)
    result = segmenter.segment(image, tiling=Tiling.WHOLE, confidence=True)
    probabilities = _logits(segmenter.checkpoint, image).softmax(dim=0).amax(dim=0)
    assert result.confidence is not None
    np.testing.assert_array_equal(result.confidence, (probabilities * 255).round().numpy())
    assert result.confidence.min() < result.confidence.max()


def test_confidence_is_left_out_unless_asked_for() -> None:
    assert _segmenter().segment(noise(32, 32)).confidence is None


@pytest.mark.parametrize("learned_upsampling", [False, True])
@pytest.mark.parametrize("architecture", list(Architecture))
def test_probabilities_are_the_softmax_of_the_logits(architecture: Architecture, learned_upsampling: bool) -> None:
    checkpoint = random_checkpoint(architecture, learned_upsampling=learned_upsampling)
    image = noise(64, 96)
    probabilities = Segmenter(checkpoint, "cpu", precision=Precision.FLOAT64).probabilities(image, tiling=Tiling.WHOLE)
    assert probabilities.dtype == np.float32
    expected = _logits(checkpoint, image).softmax(dim=0).numpy()
    np.testing.assert_allclose(probabilities, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("tiling", list(Tiling))
def test_the_most_probable_class_is_that_of_the_mask(tiling: Tiling, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.postprocessing._MAX_BAND_NUMBERS", 4 * 130 * 16)  # bands of 16 rows
    monkeypatch.setattr("model.tiling.averaging._MAX_BAND_NUMBERS", 4 * 130 * 16)
    image = noise(100, 130)
    probabilities = _segmenter().probabilities(image, tiling=tiling)
    assert probabilities.shape == (4, 100, 130)
    np.testing.assert_allclose(probabilities.sum(axis=0), 1, rtol=1e-5)
    result = _segmenter().segment(image, tiling=tiling, confidence=True)
    np.testing.assert_array_equal(probabilities.argmax(axis=0), result.mask)
    assert result.confidence is not None
    np.testing.assert_allclose(probabilities.max(axis=0) * 255, result.confidence, atol=0.51)


def test_each_stage_takes_time() -> None:
    timings = _segmenter().segment(noise(75, 90)).timings
    assert timings.preprocess_s > 0
    assert timings.forward_s > 0
    assert timings.upsample_s > 0


def test_several_threads_get_what_one_gets() -> None:
    segmenter = _segmenter()
    images = [noise(60 + 7 * seed, 110 - 5 * seed, seed) for seed in range(8)]
    segment = partial(segmenter.segment, tiling=Tiling.OVERLAP)
    alone = [segment(image).mask for image in images]
    with ThreadPoolExecutor(4) as threads:
        together = [result.mask for result in threads.map(segment, images * 3)]
    for one, other in zip(alone * 3, together, strict=True):
        np.testing.assert_array_equal(one, other)


def test_work_is_done_when_it_is_asked_for() -> None:
    bands = _segmenter().bands(noise(100, 200), tiling=Tiling.OVERLAP)
    forwards = list(islice(bands, 2 * 3))
    assert all(len(band.mask) == 0 and band.timings.forward_s > 0 for band in forwards)
    assert sum(len(band.mask) for band in bands) == 100


@pytest.mark.every_cpu
def test_the_checkpoint_that_ships_gives_the_mask_it_promises() -> None:
    golden = Segmenter.load(device="cpu").checkpoint.golden
    assert golden is not None
    assert len(np.unique(golden.mask)) > 1


def test_a_mirrored_view_is_an_image_like_any_other() -> None:
    image = noise(64, 64)
    mirrored = image[:, ::-1]
    np.testing.assert_array_equal(_segmenter().segment(mirrored).mask, _segmenter().segment(mirrored.copy()).mask)


def test_a_read_only_image_is_an_image_like_any_other_and_gives_no_warning() -> None:
    # torch warns of this once per process; without this line the test would pass after any other test with the warning.
    torch.set_warn_always(True)
    try:
        image = noise(64, 64)
        expected = _segmenter().segment(image).mask
        image.flags.writeable = False
        np.testing.assert_array_equal(_segmenter().segment(image).mask, expected)
    finally:
        torch.set_warn_always(False)


@pytest.mark.parametrize("shape", [(32, 32), (32, 32, 4), (1, 32, 32, 3), (0, 32, 3), (32, 0, 3)])
def test_an_array_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ImageError, match=r"an image must be \(height, width, 3\) uint8, not"):
        _segmenter().segment(np.zeros(shape, dtype=np.uint8))
    with pytest.raises(ImageError, match=r"an image must be \(height, width, 3\) uint8, not"):
        _segmenter().probabilities(np.zeros(shape, dtype=np.uint8))


def test_an_array_of_another_type_is_refused() -> None:
    with pytest.raises(ImageError, match="float64"):
        _segmenter().segment(np.zeros((32, 32, 3)))  # type: ignore[arg-type]


def test_an_image_too_large_for_whole_is_refused() -> None:
    segmenter = Segmenter(random_checkpoint(), "cpu", TilingLimits(max_whole_pixels=64 * 64))
    with pytest.raises(TilingError, match="65 x 64 pixels is too large"):
        segmenter.segment(noise(64, 65), tiling=Tiling.WHOLE)


@pytest.mark.parametrize("device", ["gpu", "", "cuda:999", "mps:7", "hpu", "meta"])
def test_a_device_that_cannot_be_used_is_refused_by_name(device: str) -> None:
    with pytest.raises(DeviceError, match=f"device '{device}' cannot be used"):
        Segmenter(random_checkpoint(), device)
