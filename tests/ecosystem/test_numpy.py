import ast
from pathlib import Path

import numpy as np

from app.client import Client
from tests.app.server_process import ServerProcess
from tests.ecosystem.masks_example import run_example


def test_the_histogram_counts_the_mask_s_pixels(server: ServerProcess, cat: bytes, tmp_path: Path) -> None:
    printed = ast.literal_eval(run_example("with_numpy", server.url, tmp_path))
    with Client(server.url) as client:
        segmentation = client.segment(cat)
    assert printed == {found.index: found.pixels for found in segmentation.classes}
    assert sum(printed.values()) == segmentation.mask.size
    assert printed[8] == np.count_nonzero(segmentation.mask == 8)
