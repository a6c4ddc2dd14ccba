from pathlib import Path

import cv2
import numpy as np
import supervision as sv

from app.client import Client
from tests.app.server_process import ServerProcess
from tests.ecosystem.masks_example import run_example
from tests.examples.masks_page import figures


def test_the_cat_is_painted_where_the_mask_is(server: ServerProcess, cat: bytes, tmp_path: Path) -> None:
    printed = run_example("with_supervision", server.url, tmp_path)
    with Client(server.url) as client:
        mask = client.segment(cat).mask == 8
    rows, columns = np.nonzero(mask)
    assert figures(printed) == [8, rows.size, columns.min(), rows.min(), columns.max(), rows.max()]

    painted = cv2.imread(str(tmp_path / "painted.png"))
    photograph = cv2.imread(str(tmp_path / "examples/cat.jpg"))
    assert painted is not None
    assert photograph is not None
    changed = (painted != photograph).any(axis=2)
    assert not changed[~mask].any()
    assert changed[mask].mean() > 0.99


def test_a_photograph_with_nothing_in_it_has_no_detections(server: ServerProcess) -> None:
    with Client(server.url) as client:
        segmentation = client.segment(np.zeros((64, 64, 3), np.uint8))
    assert [found.name for found in segmentation.classes] == ["background"]
    masks = segmentation.mask == np.array([], dtype=int)[:, None, None]
    assert len(sv.Detections(xyxy=sv.mask_to_xyxy(masks), mask=masks, class_id=np.array([], dtype=int))) == 0
