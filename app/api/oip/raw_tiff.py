"""Pixels as a file: a TIFF's head in front of the very same bytes, so that they go the way of all images."""

import struct

_SHORT, _LONG = 3, 4
_DIRECTORY_AT = 8
_DIRECTORY = struct.Struct("<H" + 10 * "HHII" + "I")
_BITS = struct.pack("<3H", 8, 8, 8)
_BITS_AT = _DIRECTORY_AT + _DIRECTORY.size
_PIXELS_AT = _BITS_AT + len(_BITS)


def raw_tiff(pixels: memoryview, height: int, width: int) -> bytes:
    """A TIFF file of one uncompressed strip.

    Args:
        pixels: RGB, a byte each, row by row from the top, without padding.
        height: of the image, at least 1.
        width: likewise.
    """
    entries = (
        (256, _LONG, 1, width),
        (257, _LONG, 1, height),
        (258, _SHORT, 3, _BITS_AT),  # bits of a sample
        (259, _SHORT, 1, 1),  # not compressed
        (262, _SHORT, 1, 2),  # RGB
        (273, _LONG, 1, _PIXELS_AT),
        (277, _SHORT, 1, 3),  # samples of a pixel
        (278, _LONG, 1, height),  # rows of a strip
        (279, _LONG, 1, len(pixels)),
        (284, _SHORT, 1, 1),  # samples side by side
    )
    directory = _DIRECTORY.pack(len(entries), *(value for entry in entries for value in entry), 0)
    return b"".join((struct.pack("<2sHI", b"II", 42, _DIRECTORY_AT), directory, _BITS, pixels))
