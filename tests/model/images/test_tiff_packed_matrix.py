"""TIFF with samples of 1 to 14 bits, layout by layout: right, or refused with the layout named."""

from io import BytesIO

import numpy as np
import pytest
import tifffile

from tests.model.images.outcome import read_or_refusal
from tests.model.images.tiff_packed import PackedLayout, packed_matrix, samples_of, shown_packed, write_packed

_TOLERANCE = 1.01
"""Greatest difference of a colour: Pillow rounds 8-bit CMYK differently."""


def _is_read(layout: PackedLayout) -> bool:
    """Whether a layout is read; require that the colours are right, or that the refusal names the layout."""
    file = write_packed(layout)
    outcome = read_or_refusal(file)
    if isinstance(outcome, str):
        assert f"{layout.channels} samples per pixel of {layout.bits}" in outcome, layout
        return False
    header, image = outcome
    assert (header.height, header.width) == image.shape[:2] == layout.size, layout
    assert np.abs(image - shown_packed(layout)).max() <= _TOLERANCE, layout
    return True


def _require_readable_by_others(layout: PackedLayout) -> None:
    """Check the writer: tifffile must read the samples that were written."""
    samples = tifffile.imread(BytesIO(write_packed(layout))).astype(np.int64)
    if layout.planar and layout.channels > 1:
        samples = np.moveaxis(samples, 0, -1)
    np.testing.assert_array_equal(samples.reshape(*layout.size, -1), samples_of(layout))


@pytest.mark.parametrize("layout", list(packed_matrix())[::151], ids=str)
def test_packed_samples_are_right_or_refused_by_their_layout(layout: PackedLayout) -> None:
    _require_readable_by_others(layout)
    _is_read(layout)


@pytest.mark.slow
def test_every_layout_of_packed_samples_is_right_or_refused(capsys: pytest.CaptureFixture[str]) -> None:
    are_read = [_is_read(layout) for layout in packed_matrix()]
    with capsys.disabled():
        print(f"\nTIFF of packed samples: {sum(are_read)} equal, {len(are_read) - sum(are_read)} refused by name")
    assert sum(are_read) > 10_000
