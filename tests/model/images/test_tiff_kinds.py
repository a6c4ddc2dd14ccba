"""TIFF: subsampled colours, unsupported colour spaces and compressions, and the choice among several pages."""

import zlib
from io import BytesIO

import numpy as np
import pytest
import tifffile
from PIL import Image

from model.errors import UnsupportedImageError
from model.images import decode_image, read_header
from tests.model.images.encoding import encoded
from tests.model.images.tiff_bytes import Order, Tags, TiffBytes, tiff
from tests.model.images.tiff_ycbcr import FULL_RANGE, rgb_of_ycbcr, shared_colors_tiff

_ORDERS: tuple[Order, ...] = ("<", ">")
_PIXELS = np.random.default_rng(0).integers(0, 256, (21, 34, 3), dtype=np.uint8)
_BITS = _PIXELS[..., 0] > 127


def _tags(size: tuple[int, ...], photometric: int, samples: int, compression: int = 1, bits: int = 8) -> Tags:
    """Tags of an image of (height, width) in one strip."""
    height, width = size
    return {
        256: [width],
        257: [height],
        258: [bits] * samples,
        259: [compression],
        262: [photometric],
        277: [samples],
        278: [height],
    }


@pytest.mark.parametrize("order", _ORDERS)
@pytest.mark.parametrize("compression", [1, 5, 8, 32773])
@pytest.mark.parametrize("sharing", [(1, 1), (1, 2), (2, 1), (2, 2), (4, 1), (4, 2), (4, 4), None])
def test_colours_that_several_luminances_share_are_read(
    sharing: tuple[int, int] | None, compression: int, order: Order
) -> None:
    file, samples = shared_colors_tiff(_PIXELS, sharing, compression, order)
    assert np.abs(decode_image(BytesIO(file)) - rgb_of_ycbcr(samples)).max() <= 1.01


@pytest.mark.parametrize("order", _ORDERS)
def test_luminance_and_colours_in_planes_are_read(order: Order) -> None:
    planes = [np.ascontiguousarray(_PIXELS[..., channel]).tobytes() for channel in range(3)]
    tags = {**_tags(_PIXELS.shape[:2], 6, 3), 284: [2], 530: [1, 1]}
    image = decode_image(BytesIO(tiff({**tags, 532: FULL_RANGE}, *planes, order=order)))
    assert np.abs(image - rgb_of_ycbcr(_PIXELS.astype(np.int64))).max() <= 1.01


@pytest.mark.parametrize("order", _ORDERS)
@pytest.mark.parametrize(
    ("photometric", "samples", "name"),
    [
        (4, 1, "a mask"),
        (8, 3, "CIELab"),
        (8, 1, "CIELab"),
        (9, 3, "ICCLab"),
        (10, 3, "ITULab"),
        (32844, 1, "LogL"),
        (32845, 3, "LogLuv"),
        (77, 1, "photometric interpretation 77"),
    ],
)
def test_colour_spaces_that_are_not_read_are_refused_by_name(
    photometric: int, samples: int, name: str, order: Order
) -> None:
    file = tiff(_tags((4, 4), photometric, samples), bytes(16 * samples), order=order)
    for read in (decode_image, lambda opened: read_header(opened, 1 << 30)):
        with pytest.raises(UnsupportedImageError, match=name):
            read(BytesIO(file))


@pytest.mark.parametrize(
    ("compression", "name"),
    [
        *(
            (6, "old-style JPEG"),
            (32766, "NeXT"),
            (32771, "CCITT RLE/W"),
            (32809, "ThunderScan"),
            (34661, "JBIG"),
            (34712, "JPEG 2000"),
        ),
        *(
            (34887, "LERC"),
            (34933, "PNG"),
            (34934, "JPEG XR"),
            (50001, "WebP"),
            (50002, "JPEG XL"),
            (34676, "SGI LogLuv"),
        ),
        *((33003, "JPEG 2000"), (34892, "lossy JPEG"), (99, "99")),
    ],
)
def test_compressions_that_are_not_read_are_refused_by_name(compression: int, name: str) -> None:
    file = tiff(_tags((4, 4), 1, 1, compression), bytes(16))
    for read in (decode_image, lambda opened: read_header(opened, 1 << 30)):
        with pytest.raises(UnsupportedImageError, match=f"compression {name}"):
            read(BytesIO(file))


@pytest.mark.parametrize("name", ["tiff_ccitt", "group3", "group4", "packbits", "tiff_lzw", "tiff_adobe_deflate"])
def test_compressions_of_black_and_white_are_read(name: str) -> None:
    file = encoded(Image.fromarray(_BITS), "TIFF", compression=name)
    expected = np.broadcast_to(np.where(_BITS, 255, 0)[..., None], _PIXELS.shape)
    np.testing.assert_array_equal(decode_image(BytesIO(file)), expected)


@pytest.mark.parametrize("order", _ORDERS)
@pytest.mark.parametrize("compression", ["jpeg", "lzma", "zstd"])
@pytest.mark.parametrize("photometric", ["minisblack", "rgb", "ycbcr"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("tile", [None, (16, 16)], ids=["strips", "tiles"])
def test_compressions_of_pictures_are_read_as_others_do_or_refused_by_name(
    tile: tuple[int, int] | None, planar: str, photometric: str, compression: str, order: Order
) -> None:
    is_grey = photometric == "minisblack"
    smooth = np.asarray(Image.fromarray(_PIXELS[:6, :8].copy()).resize((34, 21), Image.Resampling.BICUBIC))
    pixels = smooth[..., 0] if is_grey else np.moveaxis(smooth, -1, 0) if planar == "separate" else smooth
    buffer = BytesIO()
    try:
        tifffile.imwrite(
            buffer,
            pixels.copy(),
            photometric=photometric,
            planarconfig=None if is_grey else planar,
            compression=compression,
            tile=tile,
            byteorder=order,
        )
        expected = tifffile.imread(BytesIO(buffer.getvalue()))
    except (ValueError, RuntimeError, NotImplementedError):
        pytest.skip("tifffile does not write it")
    if (not is_grey and planar == "separate") or (photometric == "ycbcr" and compression != "jpeg"):
        with pytest.raises(UnsupportedImageError, match="samples per pixel"):
            decode_image(BytesIO(buffer.getvalue()))
        return
    expected = np.broadcast_to(expected.reshape(21, 34, -1), (21, 34, 3)).astype(np.int64)
    assert np.abs(decode_image(BytesIO(buffer.getvalue())) - expected).max() <= 3


@pytest.mark.parametrize("order", _ORDERS)
def test_the_older_number_of_deflate_is_read(order: Order) -> None:
    file = tiff(_tags(_PIXELS.shape[:2], 2, 3, 32946), zlib.compress(_PIXELS.tobytes()), order=order)
    np.testing.assert_array_equal(decode_image(BytesIO(file)), _PIXELS)


@pytest.mark.parametrize("order", _ORDERS)
def test_of_several_pages_the_first_is_taken(order: Order) -> None:
    file = TiffBytes(order)
    other = file.directory(_tags((4, 4), 1, 1), bytes(16))
    first = file.directory(_tags(_PIXELS.shape[:2], 2, 3), _PIXELS.tobytes(), following=other)
    np.testing.assert_array_equal(decode_image(BytesIO(file.file(first))), _PIXELS)


@pytest.mark.parametrize("order", _ORDERS)
@pytest.mark.parametrize(
    "reduced", [{254: [1]}, {255: [2]}, {254: [5]}, {254: [4]}], ids=["reduced", "old tag", "reduced mask", "mask"]
)
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_reduced_picture_that_comes_first_is_not_taken(
    orientation: int, bits: int, reduced: Tags, order: Order
) -> None:
    stored = _PIXELS.astype(f"{order}u{bits // 8}") * (1 if bits == 8 else 257)
    file = TiffBytes(order)
    turned: Tags = {274: [orientation]}
    whole = file.directory({**_tags(_PIXELS.shape[:2], 2, 3, bits=bits), **turned}, stored.tobytes())
    first = file.directory({**_tags((2, 3), 1, 1), **reduced}, bytes(6), following=whole)
    expected = np.rot90(_PIXELS, -1) if orientation == 6 else _PIXELS
    data = file.file(first)
    header = read_header(BytesIO(data), 1 << 30)
    assert (header.height, header.width) == expected.shape[:2]
    np.testing.assert_array_equal(decode_image(BytesIO(data)), expected)


@pytest.mark.parametrize("levels", [1, 3])
def test_a_pyramid_shows_its_largest_level(levels: int) -> None:
    buffer = BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        writer.write(_PIXELS, photometric="rgb", subifds=levels)
        for level in range(1, levels + 1):
            writer.write(_PIXELS[:: 2**level, :: 2**level].copy(), photometric="rgb", subfiletype=1)
    np.testing.assert_array_equal(decode_image(BytesIO(buffer.getvalue())), _PIXELS)
