import numpy as np
import pytest
from numpy.typing import NDArray

from model.checkpoint import Checkpoint
from model.errors import CheckpointError, DeviceError
from model.networks import Architecture
from model.precision import Precision
from model.segmentation import Segmentation
from model.segmenter import DEFAULT_WEIGHTS, Segmenter
from model.tiling import Tiling, TilingLimits
from tests.model.calibrated import calibrated
from tests.model.noise import noise
from tests.model.random_checkpoint import random_checkpoint
from tests.precisions import needs_bfloat16, needs_int8


def _require_close(rounded: Segmentation, exact: Segmentation, *, moved_share: float, moved_confidence: float) -> None:
    """Require that few pixels change their class, only uncertain ones, and that confidence hardly changes."""
    moved = rounded.mask != exact.mask
    assert 0 < moved.mean() < moved_share
    assert exact.confidence is not None
    assert rounded.confidence is not None
    assert exact.confidence[moved].max() < moved_confidence * 255
    assert np.abs(rounded.confidence.astype(int) - exact.confidence.astype(int)).mean() < 0.02 * 255


@needs_bfloat16
@pytest.mark.every_cpu
def test_bfloat16_moves_few_pixels_and_no_more_than_rounding_explains() -> None:
    golden = Segmenter.load(device="cpu").checkpoint.golden
    assert golden is not None
    segmenter = Segmenter.load(device="cpu", precision=Precision.BFLOAT16)  # also checks the golden mask
    halves = segmenter.segment(golden.image, confidence=True)
    singles = Segmenter.load(device="cpu").segment(golden.image, confidence=True)
    _require_close(halves, singles, moved_share=0.005, moved_confidence=0.6)


@needs_int8
@pytest.mark.every_cpu
def test_int8_moves_few_pixels_and_only_where_classes_are_close(cat: NDArray[np.uint8]) -> None:
    checkpoint = calibrated(Checkpoint.load(DEFAULT_WEIGHTS), cat[:288, :448])
    integers = Segmenter(checkpoint, "cpu", precision=Precision.INT8).segment(cat, confidence=True)
    singles = Segmenter(checkpoint, "cpu").segment(cat, confidence=True)
    _require_close(integers, singles, moved_share=0.01, moved_confidence=0.7)


@needs_int8
@pytest.mark.parametrize("architecture", list(Architecture))
@pytest.mark.parametrize(("height", "width"), [(600, 150), (150, 600)])
def test_in_int8_exact_gives_the_mask_of_whole(architecture: Architecture, height: int, width: int) -> None:
    limits = TilingLimits(band_pixels=50 * 160, small_image_pixels=50 * 160)
    assert limits.should_transpose(height, width) == (width > height)
    checkpoint = calibrated(random_checkpoint(architecture), noise(64, 96))
    segmenter = Segmenter(checkpoint, "cpu", limits, Precision.INT8)
    image = noise(height, width)
    whole = segmenter.segment(image, tiling=Tiling.WHOLE).mask
    assert len(np.unique(whole)) > 1
    np.testing.assert_array_equal(segmenter.segment(image, tiling=Tiling.EXACT).mask, whole)
    others = Segmenter(checkpoint, "cpu", limits).segment(image, tiling=Tiling.WHOLE).mask
    assert 0 < (others != whole).mean() < 0.1


@needs_int8
@pytest.mark.every_cpu
def test_in_int8_images_predicted_together_are_predicted_as_each_alone() -> None:
    checkpoint = calibrated(random_checkpoint(Architecture.FCN8S), noise(64, 96))
    segmenter = Segmenter(checkpoint, "cpu", precision=Precision.INT8)
    images = [noise(64, 96), noise(63, 70, seed=1), noise(40, 96, seed=2)]
    for image, result in zip(images, segmenter.segment_together(images), strict=True):
        np.testing.assert_array_equal(result.mask, segmenter.segment(image, tiling=Tiling.WHOLE).mask)


@needs_int8
@pytest.mark.every_cpu
def test_int8_without_ranges_is_refused_with_what_helps() -> None:
    with pytest.raises(CheckpointError, match=r"no ranges to predict in int8 with; export it with --calibrate"):
        Segmenter(random_checkpoint(), "cpu", precision=Precision.INT8)


def test_an_impossible_precision_is_refused_before_anything_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.capabilities._onednn_multiplies_integers_exactly", lambda: False)
    checkpoint = calibrated(random_checkpoint(), noise(64, 96))
    monkeypatch.setattr(Checkpoint, "build", lambda _: pytest.fail("a network is built"))
    with pytest.raises(DeviceError, match="device 'cpu' does not support int8: it needs a CPU with VNNI; supported"):
        Segmenter(checkpoint, "cpu", precision=Precision.INT8)
