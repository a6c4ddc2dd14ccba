"""Polygons of masks, checked by COCO's own rasteriser; needs scikit-image."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from skimage.measure import grid_points_in_poly

from examples.polygons import polygons

# pycocotools is older than NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def fill(mask: NDArray[np.bool_], stray: float = 0) -> NDArray[np.int64]:
    """Number of a mask's polygons that contain each pixel's centre."""
    covered = np.zeros(mask.shape, dtype=np.int64)
    for polygon in polygons(mask, stray):
        covered += grid_points_in_poly(mask.shape, polygon[:, ::-1] - 0.5).astype(np.int64)
    return covered


@given(arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=12)))
@settings(max_examples=200)
def test_each_pixel_of_any_mask_is_in_one_polygon_and_no_other_pixel_is(mask: NDArray[np.bool_]) -> None:
    np.testing.assert_array_equal(fill(mask), mask.astype(np.int64))


@given(arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=12)), st.floats(0, 3))
@settings(max_examples=100)
def test_polygons_have_three_points_or_more_within_the_image(mask: NDArray[np.bool_], stray: float) -> None:
    height, width = mask.shape
    for polygon in polygons(mask, stray):
        assert len(polygon) >= 3
        assert (polygon >= 0).all()
        assert (polygon <= (width, height)).all()


@pytest.mark.parametrize("holes", [1, 2, 5])
def test_holes_stay_open(holes: int) -> None:
    mask = np.ones((40, 20 * holes), dtype=bool)
    for number in range(holes):
        mask[10:30, 20 * number + 5 : 20 * number + 15] = False
    flat = [polygon.ravel().tolist() for polygon in polygons(mask)]
    height, width = mask.shape
    rasterised = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(flat, height, width))).astype(bool)
    assert (rasterised & mask).sum() / (rasterised | mask).sum() > 0.97
    assert not rasterised[15:25, 8:12].any()
