import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from examples.tiling_pictures import cuts, load_segmenter, main


@pytest.mark.slow
def test_the_pictures_and_figures_of_the_page_are_what_the_network_gives(
    examples: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(examples / "cat.jpg", tmp_path)
    docs = examples.parent / "docs"

    shown = re.search(r"```text\n(.*?)```", (docs / "tiling.md").read_text(), re.DOTALL)
    assert shown
    printed = capsys.readouterr().out
    assert _words(printed) == _words(shown[1])
    # CPUs round differently where two classes are close.
    np.testing.assert_allclose(_figures(printed), _figures(shown[1]), atol=0.3)

    for name in ("parts.png", "masks.png", "sensitivity.png"):
        with Image.open(tmp_path / name) as made, Image.open(docs / "tiling" / name) as stored:
            assert made.size == stored.size
            difference = np.asarray(made.convert("RGB"), dtype=float) - np.asarray(stored.convert("RGB"), dtype=float)
            assert np.abs(difference).mean() < 3


def test_exact_differs_nowhere_from_whole(examples: Path) -> None:
    with Image.open(examples / "cat.jpg") as picture:
        whole, exact, overlap, tiles = cuts(load_segmenter(), np.asarray(picture.convert("RGB")))
    np.testing.assert_array_equal(exact.mask, whole.mask)
    assert (overlap.mask != whole.mask).any()
    assert (tiles.mask != whole.mask).any()


def _words(text: str) -> str:
    return re.sub(r"[\d.]+", "#", text).strip()


def _figures(text: str) -> list[float]:
    return [float(figure) for figure in re.findall(r"\d+(?:\.\d+)?", text)]
