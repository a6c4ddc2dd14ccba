"""The recipe of the weights from which the shipped ones continued, checked against the lists reserved for scores."""

from pathlib import Path

import pytest

from training.config_file import load_config
from training.recipes import recipe_file

_SCORED = (("voc2012", "val"), ("extra", "val"))


def _names(root: Path, split: str) -> set[str]:
    return set((root / "ImageSets" / "Segmentation" / f"{split}.txt").read_text().split())


def test_no_image_that_is_scored_was_trained_on(shared_data: Path) -> None:
    sources = load_config(recipe_file("cpu")).data.sources
    scored = set().union(*(_names(shared_data / name, split) for name, split in _SCORED))
    assert len(scored) == 283 + 138
    for source in sources:
        root = shared_data / source.root
        if source.labelled:
            trained = _names(root, source.split)
        else:
            trained = {file.stem for file in (root / "JPEGImages").iterdir()}
        assert len(trained) > 800
        assert not trained & scored, source.root


@pytest.mark.parametrize(("name", "split"), [("voc2012", "trainaug"), ("extra", "train")])
def test_the_recipe_trains_on_all_there_is(name: str, split: str, shared_data: Path) -> None:
    trained = [(str(source.root), source.split) for source in load_config(recipe_file("cpu")).data.sources]
    assert (name, split) in trained
    assert len(_names(shared_data / name, split)) > 1000
