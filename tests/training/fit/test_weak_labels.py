import json
from pathlib import Path

import numpy as np
import pytest

from model.labels import Labels, voc_color
from training.errors import DatasetError
from training.fit.weak_labels import Box, WeakLabel, constrain, load_weak_labels

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
    assert load_weak_labels(file) == {
        "one": WeakLabel(width=8, height=6, boxes=[_box("cat", 1, 2, 3.5, 4)]),
        "two": WeakLabel(width=5, height=4, image_class="dog"),
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
        load_weak_labels(file)


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"absent\.json cannot be read"):
        load_weak_labels(tmp_path / "absent.json")


def test_where_nothing_is_known_the_teacher_is_believed() -> None:
    probabilities = np.random.default_rng(0).dirichlet(np.ones(4), (3, 5)).transpose(2, 0, 1).astype(np.float32)
    constrained = constrain(WeakLabel(width=20, height=12), probabilities, LABELS)
    np.testing.assert_allclose(constrained, probabilities, rtol=1e-5)
    assert constrained.dtype == np.float32


def test_an_image_of_one_class_shows_it_and_background_alone() -> None:
    probabilities = np.array([0.1, 0.2, 0.3, 0.4], dtype=np.float32).reshape(4, 1, 1)
    constrained = constrain(WeakLabel(width=4, height=4, image_class="dog"), probabilities, LABELS)
    np.testing.assert_allclose(constrained[:, 0, 0], [0.25, 0, 0.75, 0], rtol=1e-5)


def test_cells_in_which_hardly_anything_is_left_teach_nothing() -> None:
    cells = np.array([[0.02, 0.9, 0.02, 0.06], [0.02, 0.9, 0.04, 0.04]], dtype=np.float32)
    constrained = constrain(WeakLabel(width=8, height=4, image_class="dog"), cells.T.reshape(4, 1, 2), LABELS)
    np.testing.assert_array_equal(constrained[:, 0, 0], 0)
    np.testing.assert_allclose(constrained[:, 0, 1], [1 / 3, 0, 2 / 3, 0], rtol=1e-5)


def test_a_class_is_inside_its_boxes_and_everything_else_is_background() -> None:
    boxes = [_box("cat", 4, 8, 12, 16), _box("cat", 17, 0, 19, 1)]
    constrained = constrain(WeakLabel(width=20, height=16, boxes=boxes), _even(4, 5), LABELS)
    inside = np.array([[0, 0, 0, 0, 1], [0, 0, 0, 0, 0], [0, 1, 1, 0, 0], [0, 1, 1, 0, 0]], dtype=bool)
    np.testing.assert_array_equal(constrained[1] > 0, inside)
    np.testing.assert_allclose(constrained[:2][:, inside], 0.5, rtol=1e-5)
    np.testing.assert_array_equal(constrained[0][~inside], 1)
    assert not constrained[2:].any()


def test_a_class_is_raised_in_its_box_to_what_objects_fill_most_where_it_was_seen() -> None:
    cells = np.array([0.98, 0.02], dtype=np.float32).reshape(2, 1, 1).repeat(2, axis=1).repeat(4, axis=2)
    cells[:, 0, 0] = 0.8, 0.2
    labels = Labels(("background", "cat"), (voc_color(0), voc_color(8)))
    known = WeakLabel(width=8, height=4, boxes=[_box("cat", 0, 0, 8, 4)])
    raised = constrain(known, cells, labels)
    assert raised[1].mean() == pytest.approx(0.4, abs=0.001)
    assert raised[1, 0, 0] == raised[1].max() > 0.85
    np.testing.assert_allclose(raised.sum(axis=0), 1, rtol=1e-5)
    crowd = known.model_copy(update={"boxes": [_box("cat", 0, 0, 8, 4).model_copy(update={"maybe_crowd": True})]})
    np.testing.assert_allclose(constrain(crowd, cells, labels), cells, rtol=1e-5)


def test_where_the_teacher_sees_nothing_of_a_class_none_is_made_up() -> None:
    cells = np.array([1 - 1e-4, 1e-4], dtype=np.float32).reshape(2, 1, 1).repeat(3, axis=2)
    labels = Labels(("background", "cat"), (voc_color(0), voc_color(8)))
    raised = constrain(WeakLabel(width=3, height=1, boxes=[_box("cat", 0, 0, 3, 1)]), cells, labels)
    assert (raised[1] < 0.01).all()


def test_boxes_that_reach_beyond_the_image_count_inside_of_it() -> None:
    label = WeakLabel(width=20, height=16, boxes=[_box("dog", -9, -30, 4, 99), _box("cat", -9, -9, -1, -1)])
    constrained = constrain(label, _even(4, 5), LABELS)
    np.testing.assert_array_equal(constrained[2] > 0, np.tile([True, False, False, False, False], (4, 1)))
    assert not constrained[1].any()


def test_an_image_without_any_object_is_background() -> None:
    constrained = constrain(WeakLabel(width=4, height=4, boxes=[]), _even(2, 2), LABELS)
    np.testing.assert_array_equal(constrained[0], 1)
    assert not constrained[1:].any()


@pytest.mark.parametrize(
    "weak_label",
    [WeakLabel(width=4, height=4, image_class="gnu"), WeakLabel(width=4, height=4, boxes=[_box("gnu", 0, 0, 1, 1)])],
)
def test_a_class_that_there_is_not_is_refused(weak_label: WeakLabel) -> None:
    with pytest.raises(DatasetError, match="names an unknown class: gnu"):
        constrain(weak_label, _even(1, 1), LABELS)
