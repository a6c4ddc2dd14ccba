import numpy as np
import pytest

from model.labels import VOC
from model.segmentation import Segmentation, Timings


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
