import numpy as np
import pytest
from numpy.typing import NDArray

from model.checkpoint import Checkpoint
from model.labels import VOC
from model.segmenter import Segmenter
from tests.training.voc_checkpoint import write_voc_checkpoint
from training.data.dataset import Sample
from training.data.image_folder import Photograph
from training.evaluation.prediction_rows import compact_rows, full_rows

IMAGE = np.random.default_rng(0).integers(0, 256, (60, 70, 3), dtype=np.uint8)
GREY, RED = (184, 184, 184), (214, 40, 40)


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Segmenter:
    return Segmenter(Checkpoint.load(write_voc_checkpoint(tmp_path_factory.mktemp("run") / "last.safetensors")), "cpu")


@pytest.fixture(scope="module")
def prediction(segmenter: Segmenter) -> NDArray[np.uint8]:
    mask = segmenter.segment(IMAGE).mask
    assert len(np.unique(mask)) > 1
    return mask


def _half_wrong(prediction: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A truth equal to the prediction in the upper half, and of other classes in the lower half."""
    others = np.setdiff1d(np.arange(len(VOC)), prediction)
    truth = prediction.copy()
    truth[30:] = others[0]
    return truth


def test_a_full_row_shows_all_that_is_known(segmenter: Segmenter, prediction: NDArray[np.uint8]) -> None:
    truth = _half_wrong(prediction)
    (row,) = full_rows([Sample("one", IMAGE, truth)], segmenter, 100)
    for panel, expected in zip(row, [IMAGE, VOC.colormap(prediction), VOC.colormap(truth)], strict=True):
        np.testing.assert_array_equal(np.asarray(panel.picture), expected)
    assert [panel.caption for panel in row][1:] == ["prediction", "ground truth"]


def test_without_ground_truth_a_row_is_image_and_prediction_and_its_caption_tells_no_miou(
    segmenter: Segmenter, prediction: NDArray[np.uint8]
) -> None:
    (row,) = full_rows([Photograph("cat.png", IMAGE)], segmenter, 100)
    assert [panel.caption for panel in row] == ["cat.png", "prediction"]
    np.testing.assert_array_equal(np.asarray(row[1].picture), VOC.colormap(prediction))
    ((panel,),) = compact_rows([Photograph("cat.png", IMAGE)], segmenter, 100)
    assert panel.caption == "cat.png"
    np.testing.assert_array_equal(np.asarray(panel.picture), VOC.colormap(prediction))


def test_a_compact_panel_shows_the_prediction_and_its_errors_and_nothing_else(
    segmenter: Segmenter, prediction: NDArray[np.uint8]
) -> None:
    truth = _half_wrong(prediction)
    truth[:10, 20:] = 255
    ((panel,),) = compact_rows([Sample("one", IMAGE, truth)], segmenter, 100)
    expected = np.full((60, 70 + 2 + 70, 3), 255, np.uint8)
    expected[:, :70] = VOC.colormap(prediction)
    expected[:30, 72:], expected[30:, 72:] = GREY, RED
    expected[:10, 92:] = VOC.void_color
    np.testing.assert_array_equal(np.asarray(panel.picture), expected)


def test_captions_tell_the_miou(segmenter: Segmenter, prediction: NDArray[np.uint8]) -> None:
    half_void, void = prediction.copy(), np.full_like(prediction, 255)
    half_void[:, 35:] = 255
    other = np.setdiff1d(np.arange(len(VOC)), prediction)[0]
    wrong = np.full_like(prediction, other)
    samples = [
        Sample("perfect", IMAGE, prediction),
        Sample("half void", IMAGE, half_void),
        Sample("wrong", IMAGE, wrong),
        Sample("void", IMAGE, void),
    ]
    expected = ["perfect  mIoU 1.00", "half void  mIoU 1.00", "wrong  mIoU 0.00", "void"]
    assert [row[0].caption for row in full_rows(samples, segmenter, 100)] == expected
    assert [panel.caption for panel in compact_rows(samples, segmenter, 100)[0]] == expected


def test_compact_panels_stand_four_a_line(segmenter: Segmenter, prediction: NDArray[np.uint8]) -> None:
    samples = [Sample(str(number), IMAGE, prediction) for number in range(9)]
    rows = compact_rows(samples, segmenter, 100)
    assert [[panel.caption[0] for panel in row] for row in rows] == [list("0123"), list("4567"), ["8"]]
