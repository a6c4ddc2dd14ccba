"""The document of a hand-made mask; tests/ecosystem/test_labelme.py reads the service's masks with LabelMe."""

import base64
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.client import ClassShare, Segmentation
from examples.labelme import labelme_document, main


def test_a_class_is_a_mask_in_its_box() -> None:
    mask = np.zeros((4, 6), np.uint8)
    mask[1, 2], mask[2, 2:5] = 1, 1
    shares = (
        ClassShare(0, "background", (0, 0, 0), 20, 20 / 24),
        ClassShare(1, "leaf", (0, 160, 60), 4, 4 / 24),
    )
    document = labelme_document("../leaf.png", Segmentation(mask, shares, "", None, {}, b""))

    assert (document["imagePath"], document["imageHeight"], document["imageWidth"]) == ("../leaf.png", 4, 6)
    (shape,) = document["shapes"]
    assert (shape["label"], shape["shape_type"], shape["points"]) == ("leaf", "mask", [[2, 1], [4, 2]])
    with Image.open(BytesIO(base64.b64decode(shape["mask"]))) as picture:
        np.testing.assert_array_equal(np.array(picture), [[1, 0, 0], [1, 1, 1]])


def test_two_images_are_not_written_to_one_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["a/cat.jpg", "b/cat.png", "--output", str(tmp_path)])
    assert "same name" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_file_that_may_have_been_corrected_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "cat.json"
    file.write_text("corrected")
    with pytest.raises(SystemExit):
        main(["a/cat.jpg", "--output", str(tmp_path)])
    assert "--overwrite" in capsys.readouterr().err
    assert file.read_text() == "corrected"
