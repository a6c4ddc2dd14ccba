import numpy as np
import pytest

from benchmarks.photograph import photograph
from benchmarks.reliability.determinism import Prediction, Way, findings, predict


@pytest.mark.slow
def test_one_image_has_one_mask_under_any_load() -> None:
    bodies = [photograph("cat"), photograph("astronaut", 240, 320)]
    predictions = predict(bodies, {"float32": {}}, repeats=1)
    assert len(predictions) == 2 * 2 * 3
    assert [finding for finding in findings(predictions) if not finding.holds] == []


def test_pixels_that_differ_are_counted_and_their_ways_told() -> None:
    alone, loaded = Way("float32", is_loaded=False, tiling="auto"), Way("float32", is_loaded=True, tiling="auto")
    mask, other = np.zeros((2, 3), np.uint8), np.eye(2, 3, dtype=np.uint8)
    found = findings([Prediction(0, alone, mask), Prediction(0, loaded, other), Prediction(0, loaded, mask)])
    assert [finding.seen for finding in found] == ["2 (float32, 8 clients, auto)"]
