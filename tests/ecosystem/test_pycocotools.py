import json
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from app.client import Client
from examples.coco import main
from tests.app.server_process import ServerProcess

# pycocotools is older than NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

Masks = dict[str, NDArray[np.uint8]]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory, examples: Path) -> list[Path]:
    """A cat, an astronaut, and a small black image, which the weights may or may not take for something."""
    folder = tmp_path_factory.mktemp("images")
    for name in ("cat.jpg", "astronaut.jpg"):
        (folder / name).write_bytes((examples / name).read_bytes())
    Image.new("RGB", (40, 30)).save(folder / "black.png")
    return [folder / name for name in ("cat.jpg", "astronaut.jpg", "black.png")]


@pytest.fixture(scope="module")
def masks(server: ServerProcess, images: list[Path]) -> Masks:
    """File name -> the service's mask."""
    with Client(server.url) as client:
        return {image.as_posix(): client.segment(image).mask for image in images}


def read(server: ServerProcess, images: list[Path], file: Path, *options: str) -> COCO:
    assert main([*map(str, images), "--output", str(file), "--url", server.url, *options]) == 0
    return COCO(str(file))


def annotations(coco: COCO) -> list[tuple[dict[str, Any], str]]:
    """Annotations, each with its image's name."""
    return [(found, coco.imgs[found["image_id"]]["file_name"]) for found in coco.anns.values()]


def iou(one: NDArray[Any], other: NDArray[Any]) -> float:
    return float((one & other).sum() / (one | other).sum())


def test_run_lengths_are_the_masks_to_the_pixel(
    server: ServerProcess, images: list[Path], masks: Masks, tmp_path: Path
) -> None:
    coco = read(server, images, tmp_path / "annotations.json")
    found = annotations(coco)
    wanted = {(name, index) for name, mask in masks.items() for index in np.unique(mask).tolist() if index}
    assert {(name, annotation["category_id"]) for annotation, name in found} == wanted
    assert len(wanted) >= 2
    for annotation, name in found:
        mask = masks[name] == annotation["category_id"]
        np.testing.assert_array_equal(coco.annToMask(annotation), mask)
        encoded = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
        assert coco.annToRLE(annotation)["counts"] == encoded["counts"]
        assert annotation["area"] == coco_mask.area(encoded)
        assert annotation["bbox"] == coco_mask.toBbox(encoded).tolist()


def test_images_and_categories_are_the_service_s(
    server: ServerProcess, images: list[Path], masks: Masks, tmp_path: Path
) -> None:
    coco = read(server, images, tmp_path / "annotations.json")
    sizes = {image["file_name"]: (image["height"], image["width"]) for image in coco.loadImgs(coco.getImgIds())}
    assert sizes == {name: mask.shape for name, mask in masks.items()}
    categories = {category["id"]: category["name"] for category in coco.loadCats(coco.getCatIds())}
    assert categories[8] == "cat"
    assert sorted(categories) == list(range(1, 21))


@pytest.mark.parametrize(
    ("stray", "least_iou", "most_points"), [("0", 0.999, 2000), ("0.5", 0.99, 1000), ("1", 0.98, 400)]
)
def test_polygons_are_nearly_the_masks(
    server: ServerProcess,
    images: list[Path],
    masks: Masks,
    tmp_path: Path,
    stray: str,
    least_iou: float,
    most_points: int,
) -> None:
    coco = read(server, images, tmp_path / "annotations.json", "--polygons", stray)
    photographs = {image.as_posix() for image in images[:2]}
    largest: dict[str, dict[str, Any]] = {}  # A part of a few pixels is mostly outline.
    for annotation, name in annotations(coco):
        mask = masks[name] == annotation["category_id"]
        assert sum(map(len, annotation["segmentation"])) / 2 <= most_points
        assert annotation["area"] == mask.sum()
        largest[name] = max(largest.get(name, annotation), annotation, key=itemgetter("area"))
    assert largest.keys() >= photographs
    for name in photographs:
        annotation = largest[name]
        mask = masks[name] == annotation["category_id"]
        assert iou(coco.annToMask(annotation).astype(bool), mask) >= least_iou


def test_coco_s_own_evaluation_finds_the_annotations_equal_to_themselves(
    server: ServerProcess, images: list[Path], tmp_path: Path
) -> None:
    coco = read(server, images, tmp_path / "annotations.json")
    results = [
        {
            "image_id": annotation["image_id"],
            "category_id": annotation["category_id"],
            "segmentation": annotation["segmentation"],
            "score": 1.0,
        }
        for annotation, _ in annotations(coco)
    ]
    # For detections COCO accepts only compressed run lengths.
    for result in results:
        height, width = result["segmentation"]["size"]
        result["segmentation"] = coco_mask.frPyObjects(result["segmentation"], height, width)
    evaluation = COCOeval(coco, coco.loadRes(results), "segm")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1)


def test_an_image_that_fails_is_told_and_left_out(
    server: ServerProcess, images: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "no_image.jpg").write_bytes(b"no image")
    file = tmp_path / "annotations.json"
    assert main([str(images[0]), str(tmp_path / "no_image.jpg"), "--output", str(file), "--url", server.url]) == 1
    assert "no_image.jpg: " in capsys.readouterr().err
    assert [image["file_name"] for image in json.loads(file.read_text())["images"]] == [images[0].as_posix()]
