from io import BytesIO

import pytest

from model.errors import UnsupportedImageError
from model.images import decode_image


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (bytes(128) + b"DICM", "DICOM"),
        (b"\0\0\0\x18ftypisom\0\0\0\0", "video"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0", "video"),
        (b"\0\0\0\x14ftypqt  \0\0\0\0", "video"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1", "CR3"),
        (b"II*\0\x10\0\0\0CR\x02\0", "CR2"),
        (b"FUJIFILMCCD-RAW 0201", "RAF"),
        (b"Lerc2 \0\0\0\0", "LERC"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\4CgBI\x50\0\x20\2", "iOS"),
        (b"\x8aMNG\r\n\x1a\n", "MNG"),
        (b"\0\0\2\0\0\0\0\0", "TGA"),
        (b"P6 1 1 255 abc", "Netpbm"),
        (b"iVBORw0KGgoAAAANSUhEUg", "base64"),
    ],
)
def test_what_is_no_image_that_is_read_is_refused_by_name(start: bytes, name: str) -> None:
    with pytest.raises(UnsupportedImageError, match=name):
        decode_image(BytesIO(start + bytes(100)))
