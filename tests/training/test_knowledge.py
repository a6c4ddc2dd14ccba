import json
from pathlib import Path

import numpy as np
import pytest

from model.labels import Labels, voc_color
from training.errors import DatasetError
from training.knowledge import Box, Known, hold_to, load_knowledge

LABELS = Labels(("background", "cat", "dog", "cow"), tuple(voc_color(index) for index in range(4)))


def _even(rows: int, columns: int) -> np.ndarray[tuple[int, int, int], np.dtype[np.float32]]:
    return np.full((4, rows, columns), 0.25, dtype=np.float32)


def _box(name: str, *xyxy: float) -> Box:
    return Box.model_validate({"class": name, "xyxy": xyxy})


def test_a_file_tells_of_each_image_what_is_known(tmp_path: Path) -> None:
    file = tmp_path / "known.json"
    boxes = [{"class": "cat", "xyxy": [1, 2, 3.5, 4]}]
    document = {
        "one": {"width": 8, "height": 6, "boxes": boxes},
        "two": {"width": 5, "height": 4, "image_class": "dog"},
    }
    file.write_text(json.dumps(document))
    assert load_knowledge(file) == {
        "one": Known(width=8, height=6, boxes=[_box("cat", 1, 2, 3.5, 4)]),
        "two": Known(width=5, height=4, image_class="dog"),
    }


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"one": {"width": 8}}', r"one\.height: Field required"),
        ('{"one": {"width": 8, "height": 6, "boxes": [{"class": "cat", "xyxy": [1, 2]}]}}', r"one\.boxes\.0\.xyxy"),
        ('{"one": ', "cannot be read"),
    ],
)
def test_a_file_of_something_else_is_refused(text: str, fault: str, tmp_path: Path) -> None:
    file = tmp_path / "known.json"
    file.write_text(text)
    with pytest.raises(DatasetError, match=rf"known\.json:? .*{fault}"):
        load_knowledge(file)


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"absent\.json cannot be read"):
        load_knowledge(tmp_path / "absent.json")


def test_where_nothing_is_known_the_teacher_is_believed() -> None:
    probabilities = np.random.default_rng(0).dirichlet(np.ones(4), (3, 5)).transpose(2, 0, 1).astype(np.float32)
    held = hold_to(Known(width=20, height=12), probabilities, LABELS)
    np.testing.assert_allclose(held, probabilities, rtol=1e-5)
    assert held.dtype == np.float32


def test_an_image_of_one_class_shows_it_and_background_alone() -> None:
    probabilities = np.array([0.1, 0.2, 0.3, 0.4], dtype=np.float32).reshape(4, 1, 1)
    held = hold_to(Known(width=4, height=4, image_class="dog"), probabilities, LABELS)
    np.testing.assert_allclose(held[:, 0, 0], [0.25, 0, 0.75, 0], rtol=1e-5)


def test_cells_in_which_hardly_anything_is_left_teach_nothing() -> None:
    cells = np.array([[0.02, 0.9, 0.02, 0.06], [0.02, 0.9, 0.04, 0.04]], dtype=np.float32)
    held = hold_to(Known(width=8, height=4, image_class="dog"), cells.T.reshape(4, 1, 2), LABELS)
    np.testing.assert_array_equal(held[:, 0, 0], 0)
    np.testing.assert_allclose(held[:, 0, 1], [1 / 3, 0, 2 / 3, 0], rtol=1e-5)


def test_a_class_with_boxes_is_in_the_cells_that_they_touch_and_nowhere_else() -> None:
    boxes = [_box("cat", 4, 8, 12, 16), _box("cat", 17, 0, 19, 1)]
    held = hold_to(Known(width=20, height=16, boxes=boxes), _even(4, 5), LABELS)
    inside = np.array([[0, 0, 0, 0, 1], [0, 0, 0, 0, 0], [0, 1, 1, 0, 0], [0, 1, 1, 0, 0]], dtype=bool)
    np.testing.assert_array_equal(held[1] > 0, inside)
    np.testing.assert_allclose(held[:, inside], 0.25, rtol=1e-5)
    np.testing.assert_allclose(held[[0, 2, 3]][:, ~inside], 1 / 3, rtol=1e-5)


def test_boxes_that_reach_beyond_the_image_count_inside_of_it() -> None:
    held = hold_to(Known(width=20, height=16, boxes=[_box("dog", -9, -30, 4, 99)]), _even(4, 5), LABELS)
    np.testing.assert_array_equal(held[2] > 0, np.tile([True, False, False, False, False], (4, 1)))


def test_no_boxes_rule_nothing_out() -> None:
    np.testing.assert_allclose(hold_to(Known(width=4, height=4, boxes=[]), _even(2, 2), LABELS), 0.25, rtol=1e-5)


@pytest.mark.parametrize(
    "known", [Known(width=4, height=4, image_class="gnu"), Known(width=4, height=4, boxes=[_box("gnu", 0, 0, 1, 1)])]
)
def test_a_class_that_there_is_not_is_refused(known: Known) -> None:
    with pytest.raises(DatasetError, match="names a class that there is not: gnu"):
        hold_to(known, _even(1, 1), LABELS)
