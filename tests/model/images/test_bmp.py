import struct
from io import BytesIO

import numpy as np
import pytest

from model.images import decode_image

_COLORS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]])


@pytest.mark.parametrize("header_bytes", [40, 56, 108, 124])
@pytest.mark.parametrize("is_bottom_up", [False, True])
@pytest.mark.parametrize(
    ("bits", "masks"),
    [
        (32, (0xFF, 0xFF00, 0xFF0000)),
        (32, (0x3FF00000, 0xFFC00, 0x3FF)),
        (16, (0xF800, 0x7E0, 0x1F)),
        (16, (0xF, 0xF0, 0xF00)),
    ],
)
def test_fields_of_any_masks_are_read(bits: int, masks: tuple[int, ...], is_bottom_up: bool, header_bytes: int) -> None:
    pixels = (_COLORS // 255) @ np.array(masks)
    rows = pixels[::-1] if is_bottom_up else pixels
    body = rows.astype(f"<u{bits // 8}").tobytes()
    head = struct.pack("<IiiHHIIiiII", header_bytes, 2, 2 if is_bottom_up else -2, 1, bits, 3, len(body), 0, 0, 0, 0)
    head = (head + struct.pack("<4I", *masks, 0)[: 12 if header_bytes == 40 else 16]).ljust(header_bytes, b"\0")
    file = b"BM" + struct.pack("<IHHI", 14 + len(head) + len(body), 0, 0, 14 + len(head)) + head + body
    np.testing.assert_array_equal(decode_image(BytesIO(file)), _COLORS)
