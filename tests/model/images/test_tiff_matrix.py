"""TIFF, layout by layout: equal to an independent reader, or refused with the layout named."""

from collections.abc import Iterator
from io import BytesIO
from itertools import product
from typing import Literal

import numpy as np
import pytest

from model.images import read_orientation
from tests.model.images.outcome import read_or_refusal
from tests.model.images.tiff_file import Layout, shown, write

_TOLERANCE = 1.01
"""Greatest difference of a colour: Pillow drops the low byte of some 16-bit samples, and rounds CMYK differently."""

_CHANNELS = {"minisblack": 1, "miniswhite": 1, "rgb": 3, "separated": 4}
_TYPES = ("uint8", "uint16", "uint32", "int8", "int16", "int32", "float16", "float32", "float64")


def _matrix() -> Iterator[Layout]:
    orders: tuple[Literal["<", ">"], ...] = ("<", ">")
    choices = product(
        _CHANNELS,
        _TYPES,
        (False, True),
        orders,
        (None, "lzw", "adobe_deflate", "packbits", "zstd", "jpeg2000", "lerc"),
        (False, True),
        (False, True),
        (None, "unassalpha", "assocalpha", "unspecified"),
        ((1, 1), (19, 33)),
    )
    for photometric, dtype, planar, order, compression, predictor, tiled, extra, size in choices:
        samples = _CHANNELS[photometric] + (extra is not None)
        if (planar and samples == 1) or (predictor and compression not in ("lzw", "adobe_deflate", "zstd")):
            continue
        yield Layout(photometric, dtype, samples, planar, order, compression, predictor, tiled, size, extra)


def _is_read(layout: Layout) -> bool:
    """Whether a layout is read; require that the colours are right, or that the refusal names the layout."""
    try:
        file = write(layout)
    except (ValueError, TypeError, RuntimeError, KeyError):
        pytest.skip("tifffile does not write it")
    outcome = read_or_refusal(file)
    if isinstance(outcome, str):
        assert "samples per pixel" in outcome, layout
        return False
    header, image = outcome
    assert (header.height, header.width) == image.shape[:2] == layout.size, layout
    assert read_orientation(BytesIO(file)) == 1
    assert np.abs(image - shown(file, layout)).max() <= _TOLERANCE, layout
    return True


@pytest.mark.parametrize("layout", list(_matrix())[::61], ids=str)
def test_a_tiff_is_what_an_independent_reader_sees_or_refused_by_its_layout(layout: Layout) -> None:
    _is_read(layout)


@pytest.mark.slow
def test_every_tiff_layout_is_right_or_refused(capsys: pytest.CaptureFixture[str]) -> None:
    counts: dict[bool | None, int] = {True: 0, False: 0, None: 0}
    for layout in _matrix():
        try:
            counts[_is_read(layout)] += 1
        except pytest.skip.Exception:
            counts[None] += 1
    with capsys.disabled():
        print(f"\nTIFF layouts: {counts[True]} equal, {counts[False]} refused by name, {counts[None]} not writable")
    assert counts[True] > 1000
    assert counts[False] > 100
