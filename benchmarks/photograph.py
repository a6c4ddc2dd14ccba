"""Photographs to send, and reading the returned masks."""

from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.labels import Labels

_EXAMPLES = Path(__file__).parents[1] / "examples"

NAMES = ("cat", "astronaut")


def photograph(name: str, height: int = 375, width: int = 500) -> bytes:
    """Return a photograph of ``examples/`` as JPEG bytes, by default at the usual size of VOC images.

    The bytes are the same for the same version of Pillow.
    """
    picture = Image.open(_EXAMPLES / f"{name}.jpg").convert("RGB")
    buffer = BytesIO()
    picture.resize((width, height), Image.Resampling.LANCZOS).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def read_mask(png: bytes, labels: Labels) -> NDArray[np.uint8]:
    """Read class indices, (height, width) uint8, from a palette PNG or from an RGB PNG in the classes' colours."""
    picture = Image.open(BytesIO(png))
    return np.array(picture) if picture.mode == "P" else labels.indices(np.array(picture.convert("RGB")))


def equal_share(mask: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Share of pixels of equal class, 0..1; 0 if the sizes differ."""
    return float((mask == other).mean()) if mask.shape == other.shape else 0.0
