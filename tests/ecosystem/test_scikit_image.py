from pathlib import Path

import numpy as np
from skimage.measure import regionprops

from app.client import Client
from tests.app.server_process import ServerProcess
from tests.ecosystem.masks_example import run_example
from tests.examples.masks_page import figures


def test_a_region_s_measures_are_the_mask_s(server: ServerProcess, cat: bytes, tmp_path: Path) -> None:
    printed = run_example("with_scikit_image", server.url, tmp_path)
    with Client(server.url) as client:
        mask = client.segment(cat).mask
    rows, columns = np.nonzero(mask == 8)
    box = [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]
    assert figures(printed) == [8, rows.size, *box]


def test_there_is_a_region_for_each_class_but_background(server: ServerProcess, examples: Path) -> None:
    with Client(server.url) as client:
        segmentation = client.segment(examples / "astronaut.jpg")
    regions = {region.label: int(region.area) for region in regionprops(segmentation.mask)}
    assert regions == {found.index: found.pixels for found in segmentation.classes if found.index}
