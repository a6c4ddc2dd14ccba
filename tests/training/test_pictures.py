import numpy as np

from model.labels import VOC
from tests.training.voc_folder import halves
from training.pictures import comparison, one_below_the_other


def test_a_row_is_image_prediction_and_truth_side_by_side() -> None:
    image = np.full((60, 70, 3), 7, dtype=np.uint8)
    row = comparison(image, halves(0, 8), halves(8, 255), VOC)
    assert row.shape == (60, 3 * 70 + 2 * 8, 3)
    np.testing.assert_array_equal(row[:, :70], image)
    assert (row[:, 70:78] == 255).all()
    np.testing.assert_array_equal(row[:, 78:148], VOC.colormap(halves(0, 8)))
    np.testing.assert_array_equal(row[:, 156:], VOC.colormap(halves(8, 255)))


def test_truth_may_be_left_out() -> None:
    assert comparison(np.zeros((60, 70, 3), np.uint8), halves(0, 8), None, VOC).shape == (60, 148, 3)


def test_rows_of_any_width_stand_below_each_other_on_white() -> None:
    sheet = np.asarray(one_below_the_other([np.zeros((10, 30, 3), np.uint8), np.full((5, 20, 3), 9, np.uint8)]))
    assert sheet.shape == (23, 30, 3)
    assert (sheet[:10] == 0).all()
    assert (sheet[10:18] == 255).all()
    assert (sheet[18:, :20] == 9).all()
    assert (sheet[18:, 20:] == 255).all()
