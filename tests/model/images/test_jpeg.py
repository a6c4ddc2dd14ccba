from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from model.errors import ImageDamagedError, UnsupportedImageError
from model.images import decode_image
from tests.model.images.encoding import encoded

_BLOCKS = np.random.default_rng(0).integers(0, 255, (12, 18, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
_OPTIONS: tuple[dict[str, object], ...] = (
    {},
    {"subsampling": 0},
    {"restart_marker_rows": 1},
    {"restart_marker_blocks": 3},
    {"subsampling": "4:2:2"},
)


@pytest.mark.parametrize("share", [0.6, 0.75, 0.9])
@pytest.mark.parametrize("options", _OPTIONS, ids=str)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_scan_that_ends_early_is_damaged_though_its_end_marker_is_there(
    mode: str, options: dict[str, object], share: float
) -> None:
    file = encoded(Image.fromarray(_BLOCKS).convert(mode), "JPEG", quality=90, **options)
    cut = file[: int(len(file) * share)].rstrip(b"\xff") + b"\xff\xd9"
    with pytest.raises(ImageDamagedError, match="scan ends"):
        decode_image(BytesIO(cut))


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (16, 16), (130, 70)])
@pytest.mark.parametrize("options", [*_OPTIONS, {"progressive": True}], ids=str)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_sound_picture_of_one_colour_is_read(mode: str, options: dict[str, object], size: tuple[int, int]) -> None:
    file = encoded(Image.new("RGB", size, (250, 250, 250)).convert(mode), "JPEG", **options)
    assert decode_image(BytesIO(file)).shape == (size[1], size[0], 3)


@pytest.mark.parametrize(
    ("frame", "bits", "name"), [(0xC1, 12, "12 bits"), (0xC3, 8, "lossless"), (0xF7, 8, "JPEG-LS")]
)
def test_processes_that_are_not_read_are_refused_by_name(frame: int, bits: int, name: str) -> None:
    file = b"\xff\xd8\xff" + bytes([frame]) + b"\0\x0b" + bytes([bits]) + b"\0\x08\0\x08\x01\x01\x11\0\xff\xd9"
    with pytest.raises(UnsupportedImageError, match=name):
        decode_image(BytesIO(file))
