"""LabelMe's own loader reads our files.

LabelMe needs Qt, and different versions of libraries than the service, so it has an environment of its own, whose
Python runs it here.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.client import Client
from examples.labelme import main
from tests.app.server_process import ServerProcess

_PYTHON = Path(sys.prefix) / "labelme/bin/python"

_LOADER = """
import io, json, sys
import numpy as np
from PIL import Image
from labelme._label_file import read_label_file

try:
    from labelme._utils import shapes_to_label
except ImportError:  # version 6, the last for Python 3.11
    from labelme.utils import shapes_to_label

file = read_label_file(filename=sys.argv[1])
width, height = Image.open(io.BytesIO(file.image_data)).size
names = json.loads(sys.argv[3])
mask, _ = shapes_to_label(img_shape=(height, width), shapes=file.shapes, label_name_to_value=names)
np.save(sys.argv[2], mask)
print(json.dumps({"image": [height, width], "labels": sorted({shape["label"] for shape in file.shapes})}))
"""

pytestmark = pytest.mark.skipif(
    not _PYTHON.exists(), reason=f"{_PYTHON} is missing: see tests/ecosystem/requirements-labelme.txt"
)


def load(file: Path, names: dict[str, int]) -> tuple[NDArray[np.int32], dict[str, list[int | str]]]:
    """Load a file with LabelMe; return the class of each pixel, and the image's size and labels."""
    mask = file.with_suffix(".npy")
    command = [str(_PYTHON), "-c", _LOADER, str(file), str(mask), json.dumps(names)]
    environment = {"QT_QPA_PLATFORM": "offscreen", "HOME": str(file.parent)}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert result.returncode == 0, result.stderr
    return np.load(mask), json.loads(result.stdout.splitlines()[-1])


@pytest.fixture
def names(server: ServerProcess) -> dict[str, int]:
    with Client(server.url) as client:
        return {known.name: known.index for known in client.classes()}


def iou(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float((one & other).sum() / (one | other).sum())


@pytest.mark.parametrize("photograph", ["cat", "astronaut"])
def test_masks_are_the_service_s_to_the_pixel(
    server: ServerProcess, examples: Path, tmp_path: Path, names: dict[str, int], photograph: str
) -> None:
    image = examples / f"{photograph}.jpg"
    assert main([str(image), "--output", str(tmp_path), "--url", server.url]) == 0
    loaded, told = load(tmp_path / f"{photograph}.json", names)

    with Client(server.url) as client:
        segmentation = client.segment(image)
    np.testing.assert_array_equal(loaded, segmentation.mask)
    assert told["image"] == list(segmentation.mask.shape)
    assert told["labels"] == sorted(found.name for found in segmentation.classes if found.index)


@pytest.mark.parametrize(("stray", "least"), [("0", 0.99), ("0.5", 0.99), ("2", 0.99)])
def test_polygons_are_nearly_the_masks(
    server: ServerProcess, examples: Path, tmp_path: Path, names: dict[str, int], stray: str, least: float
) -> None:
    image = examples / "cat.jpg"
    assert main([str(image), "--output", str(tmp_path), "--url", server.url, "--polygons", stray]) == 0
    loaded, _ = load(tmp_path / "cat.json", names)
    with Client(server.url) as client:
        mask = client.segment(image).mask
    assert iou(loaded == 8, mask == 8) >= least


def test_an_upright_image_has_an_upright_mask(
    server: ServerProcess, examples: Path, tmp_path: Path, names: dict[str, int]
) -> None:
    with Image.open(examples / "cat.jpg") as picture:
        exif = picture.getexif()
        exif[0x0112] = 6  # stored rotated
        picture.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "lying.jpg", exif=exif, quality=95)
    assert main([str(tmp_path / "lying.jpg"), "--output", str(tmp_path / "out"), "--url", server.url]) == 0
    loaded, told = load(tmp_path / "out/lying.json", names)
    with Client(server.url) as client:
        mask = client.segment(tmp_path / "lying.jpg").mask
    assert told["image"] == [300, 451]
    np.testing.assert_array_equal(loaded, mask)
