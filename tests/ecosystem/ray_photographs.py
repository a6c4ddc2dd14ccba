"""Many small photographs: crops of those in examples/."""

from pathlib import Path

import numpy as np
from PIL import Image

EXAMPLES = Path(__file__).parents[2] / "examples"


def write_pieces(folder: Path, number: int, seed: int = 0) -> list[Path]:
    """Write JPEGs with sides of 40 to 95 pixels, a hundred in each subfolder of ``folder``."""
    random = np.random.default_rng(seed)
    photographs = [Image.open(EXAMPLES / name).convert("RGB") for name in ("cat.jpg", "astronaut.jpg")]
    paths = []
    for index in range(number):
        photograph = photographs[index % len(photographs)]
        width, height = random.integers(40, 96, size=2).tolist()
        left, top = random.integers((photograph.width - width, photograph.height - height)).tolist()
        path = folder / f"{index // 100:02d}" / f"{index:04d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        photograph.crop((left, top, left + width, top + height)).save(path, quality=90)
        paths.append(path)
    return paths


def write_broken(folder: Path, whole: Path) -> list[Path]:
    """Write files with image names that are not images, or are truncated."""
    folder.mkdir()
    data = whole.read_bytes()
    contents = {
        "empty.jpg": b"",
        "text.jpg": b"no image\n",
        "cut.jpg": data[: len(data) // 2],
        "head.png": b"\x89PNG\r\n\x1a\n" + bytes(40),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in contents]
