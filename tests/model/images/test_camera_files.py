"""Cameras' raw files, recognised by their tags: refused by name, and never read as the thumbnail that they contain."""

from io import BytesIO

import numpy as np
import pytest

from model.errors import UnsupportedImageError
from model.images import decode_image, read_header
from tests.model.images.tiff_bytes import Order, Tags, TiffBytes

_ORDERS: tuple[Order, ...] = ("<", ">")
_MAKER, _DNG_VERSION = 271, 50706
_FILTER_ARRAY, _BLACK_IS_ZERO = 32803, 1
_NIKON, _SONY, _PENTAX = 34713, 32767, 65535


_THUMBNAIL: Tags = {254: [1], 256: [12], 257: [8], 258: [8, 8, 8], 259: [1], 262: [2], 277: [3], 278: [8]}


def _sensor(photometric: int, compression: int = 1) -> Tags:
    return {254: [0], 256: [60], 257: [40], 258: [16], 259: [compression], 262: [photometric], 277: [1], 278: [40]}


def _raw_file(order: Order, sensor: Tags, *, maker: str = "", first: Tags | None = None, below: bool = True) -> bytes:
    """A raw file: a thumbnail in the first directory, the sensor's samples in a subdirectory or the next directory."""
    file = TiffBytes(order)
    samples = file.directory(sensor, bytes(60 * 40 * 2))
    tags: Tags = {**_THUMBNAIL, **({_MAKER: maker} if maker else {}), **(first or {})}
    places = ([samples], 0) if below else ([], samples)
    return file.file(file.directory(tags, bytes([200, 30, 30]) * 96, below=places[0], following=places[1]))


def _assert_refused(file: bytes, name: str) -> None:
    for read in (decode_image, lambda opened: read_header(opened, 1 << 30)):
        with pytest.raises(UnsupportedImageError, match=rf"a camera's raw file \({name}\); export it as JPEG or TIFF"):
            read(BytesIO(file))


@pytest.mark.parametrize("order", _ORDERS)
@pytest.mark.parametrize("below", [True, False])
def test_a_dng_is_refused_by_its_version_tag(order: Order, below: bool) -> None:
    tags: Tags = {_DNG_VERSION: [1, 4, 0, 0]}
    _assert_refused(_raw_file(order, _sensor(_FILTER_ARRAY), maker="Leica", first=tags, below=below), "DNG")


@pytest.mark.parametrize("order", _ORDERS)
@pytest.mark.parametrize("below", [True, False])
@pytest.mark.parametrize(
    ("maker", "name"),
    [
        ("NIKON CORPORATION", "NEF"),
        ("SONY", "ARW"),
        ("PENTAX Corporation", "PEF"),
        ("SAMSUNG", "SRW"),
        ("Hasselblad", "3FR"),
        ("Phase One", "TIFF-based"),
        ("", "TIFF-based"),
    ],
)
def test_samples_below_a_colour_filter_are_refused_by_the_makers_name(
    maker: str, name: str, below: bool, order: Order
) -> None:
    _assert_refused(_raw_file(order, _sensor(_FILTER_ARRAY), maker=maker, below=below), name)


@pytest.mark.parametrize("order", _ORDERS)
@pytest.mark.parametrize(
    ("maker", "compression", "name"),
    [("NIKON", _NIKON, "NEF"), ("SONY", _SONY, "ARW"), ("PENTAX", _PENTAX, "PEF"), ("", _NIKON, "TIFF-based")],
)
def test_compressions_of_cameras_are_refused_by_the_makers_name(
    maker: str, compression: int, name: str, order: Order
) -> None:
    _assert_refused(_raw_file(order, _sensor(_BLACK_IS_ZERO, compression), maker=maker), name)


@pytest.mark.parametrize("order", _ORDERS)
def test_a_thumbnail_above_a_larger_picture_of_a_camera_is_not_taken_for_it(order: Order) -> None:
    not_reduced: Tags = {254: [0]}
    _assert_refused(_raw_file(order, _sensor(_BLACK_IS_ZERO), maker="SONY", first=not_reduced), "ARW")


@pytest.mark.parametrize("order", _ORDERS)
@pytest.mark.parametrize("maker", ["", "EPSON"])
def test_a_photograph_with_a_smaller_one_below_is_read(maker: str, order: Order) -> None:
    file = TiffBytes(order)
    thumbnail = file.directory(_THUMBNAIL, bytes(12 * 8 * 3))
    made: Tags = {_MAKER: maker} if maker else {}
    whole: Tags = {**_THUMBNAIL, 254: [0], 256: [24], 257: [16], 278: [16], **made}
    pixels = np.random.default_rng(0).integers(0, 256, (16, 24, 3), dtype=np.uint8)
    data = file.file(file.directory(whole, pixels.tobytes(), below=[thumbnail]))
    np.testing.assert_array_equal(decode_image(BytesIO(data)), pixels)


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (b"II*\0\x10\0\0\0CR\x02\0", "CR2"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1", "CR3"),
        (b"FUJIFILMCCD-RAW 0201", "RAF"),
        (b"IIU\0\x18\0\0\0", "RW2"),
        (b"IIRO\x08\0\0\0", "ORF"),
        (b"MMOR\0\0\0\x08", "ORF"),
        (b"\0MRM\0\0\0\0", "MRW"),
        (b"FOVb\0\0\0\0", "X3F"),
    ],
)
def test_files_of_cameras_with_a_signature_of_their_own_are_refused_by_name(start: bytes, name: str) -> None:
    with pytest.raises(UnsupportedImageError, match=rf"a camera's raw file \({name}\)"):
        decode_image(BytesIO(start + bytes(100)))
