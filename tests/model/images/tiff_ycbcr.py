"""TIFF files in YCbCr with subsampled colours."""

import zlib

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from tests.model.images.tiff_bytes import Order, Tags, tiff

FULL_RANGE = [(value, 1) for value in (0, 255, 128, 255, 128, 255)]
"""Reference black and white of luminance and colours that use the full range, as in JFIF."""


def shared_colors_tiff(
    samples: NDArray[np.uint8], sharing: tuple[int, int] | None, compression: int = 1, order: Order = "<"
) -> tuple[bytes, NDArray[np.int64]]:
    """Bytes of a file, and the samples that it represents, (height, width, 3).

    Args:
        samples: luminance and two colours, (height, width, 3); each unit takes its first pixel's colours.
        sharing: columns and rows that share a colour; None omits the tag, whose default is (2, 2).
        compression: TIFF's number of no compression, LZW, deflate or PackBits.
        order: byte order.
    """
    height, width = samples.shape[:2]
    data, meant = _units(samples, *(sharing or (2, 2)))
    match compression:
        case 5:
            data = bytes(imagecodecs.lzw_encode(data))
        case 8:
            data = zlib.compress(data)
        case 32773:
            data = bytes(imagecodecs.packbits_encode(data))
    told: Tags = {530: list(sharing)} if sharing else {}
    tags: Tags = {
        256: [width],
        257: [height],
        258: [8, 8, 8],
        259: [compression],
        262: [6],
        277: [3],
        278: [height],
        **told,
        532: FULL_RANGE,
    }
    return tiff(tags, data, order=order), meant


def rgb_of_ycbcr(samples: NDArray[np.int64]) -> NDArray[np.float64]:
    """RGB by the formulas of JFIF: (height, width, 3), 0..255."""
    y, blue, red = samples[..., 0], samples[..., 1] - 128, samples[..., 2] - 128
    colors = [y + 1.402 * red, y - 0.344136 * blue - 0.714136 * red, y + 1.772 * blue]
    return np.asarray(np.clip(np.stack(colors, axis=-1), 0, 255), dtype=np.float64)


def _units(samples: NDArray[np.uint8], across: int, down: int) -> tuple[bytes, NDArray[np.int64]]:
    """Units of several luminances and two colours, and the samples that they represent."""
    height, width = samples.shape[:2]
    padded = np.pad(samples, ((0, -height % down), (0, -width % across), (0, 0)), mode="edge").astype(np.int64)
    padded[..., 1:] = padded[::down, ::across, 1:].repeat(down, 0).repeat(across, 1)
    data = bytearray()
    for top in range(0, len(padded), down):
        for left in range(0, padded.shape[1], across):
            unit = padded[top : top + down, left : left + across]
            data += bytes([*unit[..., 0].ravel().tolist(), *unit[0, 0, 1:].tolist()])
    return bytes(data), padded[:height, :width]
