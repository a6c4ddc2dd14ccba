"""Sliding windows, the book's tiling: rectangles of one size that cover an image and may overlap."""

from model.networks.fcn import ALIGNMENT
from model.tiling.rectangle import Rectangle


def sliding_windows(height: int, width: int, tile_height: int, tile_width: int) -> list[Rectangle]:
    """Cover an image with as few rectangles as possible, evenly spaced.

    Args:
        height: height of the image.
        width: width of the image.
        tile_height: maximum height of a window, a multiple of 32.
        tile_width: maximum width of a window, a multiple of 32.

    Returns:
        Rectangles of one size, within the image; for an image side below 32 pixels, the rectangle's side is 32.

    Source:
        *Dive into Deep Learning* 14.11.5.
    """
    size = _side(height, tile_height), _side(width, tile_width)
    return [Rectangle(top, left, *size) for top in _starts(height, tile_height) for left in _starts(width, tile_width)]


def _side(extent: int, tile: int) -> int:
    """Largest window side that fits into the image; an image side below 32 pixels is padded to 32."""
    return min(tile, max(ALIGNMENT, extent // ALIGNMENT * ALIGNMENT))


def _starts(extent: int, tile: int) -> list[int]:
    side = _side(extent, tile)
    count = max(1, -(-extent // side))
    if count == 1:
        return [0]
    return [number * (extent - side) // (count - 1) for number in range(count)]
