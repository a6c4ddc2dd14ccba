import numpy as np
import pytest

from model.labels import VOC
from model.segmentation import NO_TIME, Band, Segmentation, Timings, collect


def test_classes_are_counted_by_index() -> None:
    mask = np.array([[0, 0, 15], [8, 15, 15]], dtype=np.uint8)
    segmentation = Segmentation(mask, VOC, Timings(0.1, 0.2, 0.3))
    assert (segmentation.height, segmentation.width) == (2, 3)
    shares = segmentation.classes()
    assert [(share.index, share.name, share.color, share.pixels) for share in shares] == [
        (0, "background", (0, 0, 0), 2),
        (8, "cat", (64, 0, 0), 1),
        (15, "person", (192, 128, 128), 3),
    ]
    assert [share.fraction for share in shares] == pytest.approx([2 / 6, 1 / 6, 3 / 6])


def test_a_mask_that_comes_whole_is_not_copied() -> None:
    pixels = np.arange(12, dtype=np.uint8).reshape(1, 3, 4)
    bands = [Band.without_rows(4, NO_TIME), Band(pixels, Timings(1, 2, 3))]
    segmentation = collect(bands, (3, 4), VOC, confidence=False)
    assert np.shares_memory(segmentation.mask, pixels)
    assert segmentation.timings == Timings(1, 2, 3)
