from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.labels import VOC
from tests.training.voc_archives import SBD_MASKS, mat_bytes, serve_all
from tests.training.voc_folder import halves
from tests.training.web_server import WebServer
from training.data.fetching import fetch
from training.data.sbd import read_mask
from training.errors import FetchError


@pytest.fixture
def root(server: WebServer, tmp_path: Path) -> Path:
    fetch(tmp_path, serve_all(server))
    return tmp_path


def test_sbds_masks_are_pictures_in_vocs_colours(root: Path) -> None:
    with Image.open(root / "SegmentationClassAug" / "2008_2.png") as picture:
        assert picture.mode == "P"
        np.testing.assert_array_equal(np.asarray(picture.convert("RGB")), VOC.colormap(SBD_MASKS["2008_2"]))


@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_a_mask_is_read_from_a_matlab_file(dtype: type[np.generic], tmp_path: Path) -> None:
    (tmp_path / "a.mat").write_bytes(mat_bytes(halves(20, 255).astype(dtype)))
    mask = read_mask(tmp_path / "a.mat")
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, halves(20, 255))


def test_a_mask_of_other_classes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mat").write_bytes(mat_bytes(halves(0, 21)))
    with pytest.raises(FetchError, match=r"a.mat holds no mask, but shape \(60, 70\) with the foreign values \[21\]"):
        read_mask(tmp_path / "a.mat")


@pytest.mark.parametrize(
    "content",
    [b"", b"no MATLAB file" * 20, mat_bytes(halves(0, 1))[:-40], mat_bytes(np.zeros((2, 2, 2), np.uint8))],
    ids=["empty", "something else", "cut off", "three dimensions"],
)
def test_a_file_without_a_mask_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.mat").write_bytes(content)
    with pytest.raises(FetchError, match=r"a.mat holds no mask"):
        read_mask(tmp_path / "a.mat")
