"""From the pixels of a loaded picture, in any of Pillow's modes, to sRGB."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.errors import UnsupportedImageError
from model.images.png import find_colors
from model.images.profile import find_profile

_ALPHA_MODES = ("LA", "La", "PA", "RGBA", "RGBa")
_SIXTEEN_BIT_MODES = ("I;16", "I;16L", "I;16B", "I;16N")

_STRIP_PIXELS = 1 << 16
"""Pixels converted at a time: they and their result fit into a processor's cache."""


def write_rgb(picture: Image.Image, image: NDArray[np.uint8], mode: str) -> None:
    """Convert a loaded picture strip by strip, so that conversion needs hardly any further memory.

    Args:
        picture: loaded picture.
        image: array to fill, (height, width, 3), uint8 RGB.
        mode: Pillow's mode of the pixels in the file, to which an ICC profile applies.
    """
    convert = _to_srgb(picture, mode)
    top = 0
    for strip in _strips(picture):
        image[top : top + strip.height] = convert(strip)
        top += strip.height


def _strips(picture: Image.Image) -> Iterator[Image.Image]:
    rows = rows_of_strip(picture.width)
    if rows >= picture.height:
        yield picture
        return
    for top in range(0, picture.height, rows):
        yield picture.crop((0, top, picture.width, min(top + rows, picture.height)))


def rows_of_strip(width: int) -> int:
    """Return the number of rows converted at a time, for pictures of this width."""
    return max(1, _STRIP_PIXELS // width)


def _to_srgb(picture: Image.Image, mode: str) -> Callable[[Image.Image], NDArray[np.uint8]]:
    """As ``_conversion``, with the picture's own colour space converted to sRGB."""
    profile = find_profile(picture.info.get("icc_profile"), mode)
    colors = find_colors(picture)
    if profile is None and colors is None:
        return _conversion(picture)
    has_alpha = picture.mode in _ALPHA_MODES or "transparency" in picture.info

    def opaque(strip: Image.Image) -> NDArray[np.uint8]:
        if strip.mode in _SIXTEEN_BIT_MODES:
            if colors is not None:
                return colors.to_srgb(np.asarray(strip)[..., None])
            strip = Image.fromarray(_grey(strip, 65535)[..., 0])
        if profile is not None:
            return profile.to_srgb(strip if strip.mode == profile.mode else strip.convert(profile.mode))
        assert colors is not None
        return colors.to_srgb(_rgb(strip))

    if not has_alpha:
        return opaque

    def transparent(strip: Image.Image) -> NDArray[np.uint8]:
        if strip.mode in _SIXTEEN_BIT_MODES:
            is_opaque = (np.asarray(strip) != picture.info["transparency"])[..., None]
            return np.where(is_opaque, opaque(strip), np.uint8(255))
        layer = strip.convert("RGBA")
        colors = Image.fromarray(opaque(layer.convert("RGB")))
        colors.putalpha(layer.getchannel("A"))
        return _on_white(colors)

    return transparent


def _conversion(picture: Image.Image) -> Callable[[Image.Image], NDArray[np.uint8]]:
    """Return a function from a strip of the picture to (rows, width, 3) or (rows, width, 1), uint8."""
    if picture.mode in _SIXTEEN_BIT_MODES:
        return partial(_grey, full_scale=65535, transparent=picture.info.get("transparency"))
    if picture.mode in ("I", "F"):
        return partial(_grey, full_scale=_full_scale(picture))
    if picture.mode in _ALPHA_MODES or "transparency" in picture.info:
        return _on_white
    return _rgb


def _rgb(strip: Image.Image) -> NDArray[np.uint8]:
    try:
        return np.asarray(strip.convert("RGB"))
    except ValueError as error:
        detail = f"images with pixels of mode {strip.mode} are not supported"
        raise UnsupportedImageError(detail) from error


def _on_white(strip: Image.Image) -> NDArray[np.uint8]:
    layer = strip.convert("RGBA")
    paper = Image.new("RGBA", layer.size, "white")
    return np.asarray(Image.alpha_composite(paper, layer).convert("RGB"))


def _full_scale(picture: Image.Image) -> int:
    """Value of white in 32-bit samples: the first of 1, 255 and 65535 that no sample exceeds."""
    greatest = 0.0
    for strip in _strips(picture):
        samples = np.asarray(strip)
        greatest = max(greatest, float(samples[np.isfinite(samples)].max(initial=0)))
    is_fraction = greatest <= 1 and picture.mode == "F"
    return 1 if is_fraction else 255 if greatest <= 255 else 65535


def _grey(strip: Image.Image, full_scale: int, transparent: int | None = None) -> NDArray[np.uint8]:
    """Scale samples of 0..full_scale to grey of 0..255, clipped; transparent ones become white."""
    samples = np.asarray(strip)
    finite = np.nan_to_num(samples.astype(np.float64), nan=0, posinf=0, neginf=0)
    grey = np.clip(np.round(finite * (255 / full_scale)), 0, 255).astype(np.uint8)
    if transparent is not None:
        grey[samples == transparent] = 255
    return grey[..., None]
