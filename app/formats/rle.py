"""Run-length encoding of masks as COCO defines it: column by column, counts of zeros and ones in turn, zeros first.

Source: pycocotools, ``maskApi.h``.
"""

import numpy as np
from numpy.typing import NDArray


def encode_rle(mask: NDArray[np.bool_]) -> list[int]:
    """Encode a mask, (height, width) bool, as run lengths, which add up to height * width."""
    flat = mask.ravel(order="F")
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    edges = np.concatenate(([0], changes, [flat.size]))
    counts: list[int] = np.diff(edges).tolist()
    return [0, *counts] if flat[0] else counts


def decode_rle(counts: list[int], height: int, width: int) -> NDArray[np.bool_]:
    """Decode run lengths to a mask, (height, width) bool; the inverse of ``encode_rle``.

    Raises:
        ValueError: the runs do not add up to height * width.
    """
    if sum(counts) != height * width:
        raise ValueError(f"runs of {sum(counts)} pixels in all do not make a mask of {height} x {width}")
    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, counts).reshape((height, width), order="F")
