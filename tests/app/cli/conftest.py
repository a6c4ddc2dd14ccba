import shutil
from pathlib import Path

import pytest
from PIL import Image

from tests.app.cli.command import ROOT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder ``photos``: four photographs, a damaged one, and files that are not images."""
    photos = tmp_path / "photos"
    (photos / "inner").mkdir(parents=True)
    for name in ("cat.jpg", "inner/cat.jpg", "inner/astronaut.jpg"):
        shutil.copy(ROOT / "examples" / Path(name).name, photos / name)
    with Image.open(photos / "cat.jpg") as picture:
        picture.save(photos / "cat.png")
    (photos / "broken.jpg").write_bytes((photos / "cat.jpg").read_bytes()[:5000])
    (photos / "notes.txt").write_text("no image")
    (photos / ".hidden.jpg").write_text("no image")
    return tmp_path


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A photograph of 4 megapixels, whose mask is written band by band."""
    path = tmp_path / "large.jpg"
    with Image.open(ROOT / "examples" / "cat.jpg") as picture:
        picture.resize((2400, 1600)).save(path)
    return path
