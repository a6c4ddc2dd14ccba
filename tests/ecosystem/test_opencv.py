from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from app.client import Client
from model.images import decode_image
from tests.app.server_process import ServerProcess
from tests.ecosystem.masks_example import run_example
from tests.model.images.tiff_ycbcr import shared_colors_tiff


def test_the_outline_goes_round_the_cat_and_changes_nothing_else(
    server: ServerProcess, cat: bytes, tmp_path: Path
) -> None:
    run_example("with_opencv", server.url, tmp_path)
    outlined = cv2.imread(str(tmp_path / "outlined.png"))
    photograph = cv2.imread(str(tmp_path / "examples/cat.jpg"))
    assert outlined is not None
    assert photograph is not None

    with Client(server.url) as client:
        mask = (client.segment(cat).mask == 8).astype(np.uint8)
    kernel = np.ones((5, 5), np.uint8)
    inside = cv2.erode(np.pad(mask, 4), kernel)[4:-4, 4:-4]  # the cat extends to the image's edges
    near_border = cv2.dilate(mask, kernel) != inside
    yellow = (outlined == (0, 255, 255)).all(axis=2)
    assert yellow.sum() > 500
    assert near_border[yellow].all()
    np.testing.assert_array_equal(outlined[~yellow], photograph[~yellow])


def test_filled_outlines_are_the_mask(server: ServerProcess, cat: bytes) -> None:
    with Client(server.url) as client:
        mask = (client.segment(cat).mask == 8).astype(np.uint8)
    outlines, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    filled = cv2.drawContours(np.zeros_like(mask), outlines, -1, color=1, thickness=cv2.FILLED)
    assert (filled & mask).sum() / (filled | mask).sum() > 0.99


def test_imread_gives_the_png_s_colours_and_not_its_indices(server: ServerProcess, cat: bytes) -> None:
    with Client(server.url) as client:
        png = client.segment_bytes(cat, "png")
    read = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
    with Image.open(BytesIO(png)) as picture:
        indices, colors = np.array(picture), np.array(picture.convert("RGB"))
    assert set(np.unique(indices).tolist()) == {0, 8}
    assert read is not None
    np.testing.assert_array_equal(read[..., :3], colors[..., ::-1])


@pytest.mark.parametrize("sharing", [(1, 1), (2, 1), (2, 2), (4, 1), (4, 2), (4, 4)])
def test_opencv_sees_the_colours_that_the_service_sees_in_a_ycbcr_tiff(sharing: tuple[int, int]) -> None:
    samples = np.random.default_rng(0).integers(0, 256, (21, 32, 3), dtype=np.uint8)
    file, _ = shared_colors_tiff(samples, sharing)
    by_libtiff = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR)
    assert by_libtiff is not None
    assert np.abs(decode_image(BytesIO(file)).astype(np.int64) - by_libtiff[..., ::-1]).max() <= 2
