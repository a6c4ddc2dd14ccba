from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from training.fit.curves import draw_curves


def _draw(records: list[dict[str, Any]], folder: Path) -> NDArray[np.int16]:
    draw_curves(records, folder / "curves.png")
    with Image.open(folder / "curves.png") as picture:
        assert picture.format == "PNG"
        return np.array(picture.convert("RGB")).astype(np.int16)


@pytest.mark.parametrize(
    ("panel", "name"),
    [
        (0, "loss"),
        (0, "distillation"),
        (0, "auxiliary"),
        (1, "accuracy"),
        (1, "val_accuracy"),
        (1, "val_miou"),
        (2, "learning_rate"),
    ],
)
def test_a_quantity_is_drawn_in_its_panel(panel: int, name: str, tmp_path: Path) -> None:
    empty = _draw([], tmp_path)
    drawn = _draw([{"step": 1, name: 0.2}, {"step": 20, "others": 1.0}, {"step": 40, name: 0.8}], tmp_path)
    assert drawn.shape == empty.shape
    colored = np.ptp(drawn, axis=-1) > 60
    assert not (np.ptp(empty, axis=-1) > 60).any()
    panels = [part.sum() for part in np.array_split(colored, 3, axis=1)]
    assert panels[panel] > 100
    assert sum(panels) - panels[panel] < 0.1 * panels[panel]


def test_quantities_that_have_no_panel_are_left_out(tmp_path: Path) -> None:
    np.testing.assert_array_equal(
        _draw([{"step": 1, "seconds": 3.0}, {"step": 2, "seconds": 4.0}], tmp_path), _draw([], tmp_path)
    )
