"""Conversion from a picture's ICC profile to sRGB."""

from functools import lru_cache
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

_INVISIBLE = 3
"""Maximum colour difference, in 0..255, at which a profile counts as sRGB; cameras' sRGB profiles differ slightly."""

_SPACES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}
_MODES = {
    "RGB ": ("RGB", "RGBA", "RGBX", "P", "PA", "YCbCr"),
    "GRAY": ("L", "LA", "La", "1", "I;16"),
    "CMYK": ("CMYK",),
}
"""Pillow's modes that a profile applies to, by its colour space."""


class Profile:
    """A transformation to sRGB.

    Attributes:
        mode: Pillow's mode of its input: RGB, L or CMYK.
    """

    def __init__(self, transform: ImageCms.ImageCmsTransform, mode: str) -> None:
        self._transform = transform
        self.mode = mode

    def to_srgb(self, strip: Image.Image) -> NDArray[np.uint8]:
        """Convert a strip of mode ``mode`` to (rows, width, 3), uint8 sRGB."""
        converted = ImageCms.applyTransform(strip, self._transform)
        return np.asarray(converted)


def find_profile(data: object, mode: str) -> Profile | None:
    """Find the transformation to sRGB for a picture with this ICC profile and Pillow's mode.

    None if there is no profile, or it is damaged, for another kind of picture, or practically sRGB.
    """
    if not isinstance(data, bytes) or len(data) < 128:
        return None
    space = data[16:20].decode("latin-1")
    if mode not in _MODES.get(space, ()):
        return None
    return _profile(data, _SPACES[space])


@lru_cache(maxsize=8)
def _profile(data: bytes, mode: str) -> Profile | None:
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(data))
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (OSError, ImageCms.PyCMSError, ValueError, TypeError):
        return None
    profile = Profile(transform, mode)
    return None if mode != "CMYK" and _is_srgb(profile) else profile


def _is_srgb(profile: Profile) -> bool:
    levels = np.arange(0, 256, 17, dtype=np.uint8)
    colors = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(16, -1, 3)
    if profile.mode == "L":
        colors = np.repeat(levels[None, :, None], 3, axis=-1)
    probe = Image.fromarray(colors[..., 0].copy() if profile.mode == "L" else colors)
    difference = np.abs(profile.to_srgb(probe).astype(np.int64) - colors)
    return int(difference.max()) <= _INVISIBLE
