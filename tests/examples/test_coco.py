"""The document of hand-made masks; tests/ecosystem/test_pycocotools.py reads the service's masks with COCO."""

import numpy as np

from app.client import ClassInfo
from app.formats.rle import encode_rle
from examples.coco import coco_document

CLASSES = (
    ClassInfo(0, "background", (0, 0, 0)),
    ClassInfo(1, "leaf", (0, 160, 60)),
    ClassInfo(255, "void", (224, 224, 192)),
)


def answer(mask: np.ndarray[tuple[int, int], np.dtype[np.uint8]]) -> dict[str, object]:
    height, width = mask.shape
    runs = [
        {"index": index, "size": [height, width], "counts": encode_rle(mask == index)}
        for index in np.unique(mask).tolist()
    ]
    return {"width": width, "height": height, "mask": runs}


def test_an_annotation_has_the_mask_s_area_box_and_run_lengths() -> None:
    mask = np.zeros((4, 5), np.uint8)
    mask[1:3, 2:5] = 1
    document = coco_document(CLASSES, [("a/leaf.png", answer(mask))])
    assert document == {
        "images": [{"id": 1, "file_name": "a/leaf.png", "width": 5, "height": 4}],
        "categories": [{"id": 1, "name": "leaf"}],
        "annotations": [
            {
                "id": 1,
                "image_id": 1,
                "category_id": 1,
                "iscrowd": 0,
                "area": 6,
                "bbox": [2, 1, 3, 2],
                "segmentation": {"size": [4, 5], "counts": [9, 2, 2, 2, 2, 2, 1]},
            }
        ],
    }


def test_an_image_of_background_has_no_annotation() -> None:
    document = coco_document(CLASSES, [("empty.png", answer(np.zeros((2, 2), np.uint8)))])
    assert [image["id"] for image in document["images"]] == [1]
    assert document["annotations"] == []
