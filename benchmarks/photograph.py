"""The photographs that are sent, and the masks that come back."""

from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.labels import Labels

_EXAMPLES = Path(__file__).parents[1] / "examples"

NAMES = ("cat", "astronaut")


def photograph(name: str, height: int = 375, width: int = 500) -> bytes:
    """A photograph of ``examples/`` at the usual size of VOC's, as a JPEG; the same bytes with the same Pillow."""
    picture = Image.open(_EXAMPLES / f"{name}.jpg").convert("RGB")
    buffer = BytesIO()
    picture.resize((width, height), Image.Resampling.LANCZOS).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def read_mask(png: bytes, labels: Labels) -> NDArray[np.uint8]:
    """Class indices, (height, width) uint8, of a palette PNG or of an RGB one in the classes' colours."""
    picture = Image.open(BytesIO(png))
    return np.array(picture) if picture.mode == "P" else labels.indices(np.array(picture.convert("RGB")))


def equal_share(mask: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Share of pixels of equal class, 0..1; 0 where the sizes differ."""
    return float((mask == other).mean()) if mask.shape == other.shape else 0.0
