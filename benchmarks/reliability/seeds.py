"""Small image files of every kind that the service reads, as starting points for mutations."""

import struct
import zlib
from collections.abc import Mapping
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image, ImageCms, features

from benchmarks.reliability.tiff_seeds import tiff_seeds

WIDTH, HEIGHT = 43, 37
"""Size of all seeds in pixels; numbers that are easily found in headers."""

_PHOTOGRAPH = Path(__file__).parents[2] / "examples" / "cat.jpg"

_ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
"""(first row, first column, row step, column step) of each PNG interlacing pass."""


@cache
def seeds() -> Mapping[str, bytes]:
    """Name -> bytes of an image file."""
    pillow_heif.register_heif_opener()
    picture = Image.open(_PHOTOGRAPH).convert("RGB").resize((WIDTH, HEIGHT))
    return {**_jpegs(picture), **_pngs(picture), **_webps(picture), **_tiffs(picture), **_others(picture)}


def _jpegs(picture: Image.Image) -> dict[str, bytes]:
    exif = Image.Exif()
    exif[274] = 6
    return {
        "jpeg": _file(picture, "JPEG"),
        "jpeg-progressive": _file(picture, "JPEG", progressive=True),
        "jpeg-grey": _file(picture.convert("L"), "JPEG"),
        "jpeg-cmyk": _file(picture.convert("CMYK"), "JPEG"),
        "jpeg-restarts": _file(picture, "JPEG", restart_marker_rows=1, subsampling=0, comment=b"a comment"),
        "jpeg-exif": _file(picture, "JPEG", exif=exif, icc_profile=b"profile" * 9),
        "mpo": _file(picture, "MPO", save_all=True, append_images=[picture]),
    }


def _pngs(picture: Image.Image) -> dict[str, bytes]:
    transparent = picture.copy()
    transparent.putalpha(128)
    deep = np.asarray(picture.convert("L")).astype(np.uint16) * 257
    modes = {f"png-{mode}": _file(picture.convert(mode), "PNG") for mode in ("1", "L", "P", "RGB", "LA")}
    return {
        **modes,
        "png-RGBA": _file(transparent, "PNG"),
        "png-16-bit": _file(Image.fromarray(deep), "PNG"),
        "png-2-bit": _file(picture.quantize(4), "PNG", bits=2),
        "png-transparent": _file(picture.convert("P"), "PNG", transparency=bytes(range(9))),
        "png-interlaced": _interlaced_png(picture),
        "png-16-bit-transparent": _png((16, 2, 0), _deep_rows(picture), (b"tRNS", bytes(6))),
        "png-4-bit-transparent": _png((4, 0, 0), _nibbles(picture), (b"tRNS", bytes((0, 5)))),
        "png-gamma": _png((8, 2, 0), _rows(picture), (b"gAMA", struct.pack(">I", 100_000))),
        "png-profile": _file(picture, "PNG", icc_profile=_profile()),
        "png-animated": _file(picture, "PNG", save_all=True, append_images=[picture.rotate(9)]),
    }


def _webps(picture: Image.Image) -> dict[str, bytes]:
    transparent = picture.copy()
    transparent.putalpha(picture.convert("L"))
    return {
        "webp": _file(picture, "WEBP"),
        "webp-alpha": _file(transparent, "WEBP", exif=Image.Exif()),
        "webp-lossless": _file(transparent, "WEBP", lossless=True),
        "webp-animated": _file(picture, "WEBP", save_all=True, append_images=[picture.rotate(9)]),
    }


def _tiffs(picture: Image.Image) -> dict[str, bytes]:
    grey = np.asarray(picture.convert("L"))
    compressions = ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")
    return {
        **{f"tiff-{name}": _file(picture, "TIFF", compression=name) for name in compressions},
        "tiff-group4": _file(picture.convert("1"), "TIFF", compression="group4"),
        "tiff-palette": _file(picture.convert("P"), "TIFF"),
        "tiff-cmyk": _file(picture.convert("CMYK"), "TIFF"),
        "tiff-16-bit": _file(Image.fromarray(grey.astype(np.uint16) * 257), "TIFF"),
        "tiff-float": _file(Image.fromarray(grey.astype(np.float32) / 255), "TIFF"),
        "tiff-pages": _file(picture, "TIFF", save_all=True, append_images=[picture]),
        "tiff-big": _file(picture, "TIFF", big_tiff=True),
        **tiff_seeds(np.asarray(picture)),
    }


def _others(picture: Image.Image) -> dict[str, bytes]:
    frames = [picture.rotate(angle).quantize(16) for angle in (0, 9, 18)]
    return {
        "bmp": _file(picture, "BMP"),
        "bmp-palette": _file(picture.convert("P"), "BMP"),
        "bmp-1": _file(picture.convert("1"), "BMP"),
        "bmp-masks": _bmp_of_masks(picture),
        "gif": _file(frames[0], "GIF"),
        "gif-small-frame": _gif_of_a_small_frame(frames[0]),
        "gif-animated": _file(frames[0], "GIF", save_all=True, append_images=frames[1:], transparency=1, duration=50),
        "heic": _file(picture, "HEIF"),
        "heic-10-bit": _heic_of_10_bits(picture),
        **({"avif": _file(picture, "AVIF", speed=10)} if features.check("avif") else {}),
    }


def _file(picture: Image.Image, file_format: str, **parameters: object) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, file_format, **parameters)
    return buffer.getvalue()


def _interlaced_png(picture: Image.Image) -> bytes:
    """An interlaced PNG, which Pillow reads but does not write."""
    pixels = np.asarray(picture)
    passes = [pixels[row::row_step, column::column_step] for row, column, row_step, column_step in _ADAM7]
    rows = b"".join(b"\0" + row.tobytes() for one in passes for row in one)
    return _png((8, 2, 1), rows)


def _png(kind: tuple[int, int, int], rows: bytes, *before: tuple[bytes, bytes]) -> bytes:
    """A PNG of ``kind`` (bits, colour type, interlace), with additional chunks before its pixels."""
    bits, color_type, interlace = kind
    header = struct.pack(">2I5B", WIDTH, HEIGHT, bits, color_type, 0, 0, interlace)
    chunks = ((b"IHDR", header), *before, (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_png_chunk(name, data) for name, data in chunks)


def _rows(picture: Image.Image) -> bytes:
    return b"".join(b"\0" + row.tobytes() for row in np.asarray(picture))


def _deep_rows(picture: Image.Image) -> bytes:
    return b"".join(b"\0" + (row.astype(">u2") * 257).tobytes() for row in np.asarray(picture))


def _nibbles(picture: Image.Image) -> bytes:
    grey = np.pad(np.asarray(picture.convert("L")) >> 4, ((0, 0), (0, WIDTH % 2)))
    return b"".join(b"\0" + (row[::2] << 4 | row[1::2]).tobytes() for row in grey)


def _profile() -> bytes:
    """An ICC profile that differs from sRGB: its red and green primaries are exchanged."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile.replace(b"rXYZ", b"tXYZ", 1).replace(b"gXYZ", b"rXYZ", 1).replace(b"tXYZ", b"gXYZ", 1)


def _bmp_of_masks(picture: Image.Image) -> bytes:
    """A BMP with ten bits per colour, top row first."""
    red, green, blue = (np.asarray(picture)[..., channel].astype("<u4") << 2 for channel in range(3))
    body = (red << 20 | green << 10 | blue).astype("<u4").tobytes()
    masks = struct.pack("<4I", 0x3FF00000, 0xFFC00, 0x3FF, 0)
    head = struct.pack("<IiiHHIIiiII", 56, WIDTH, -HEIGHT, 1, 32, 3, len(body), 0, 0, 0, 0) + masks
    return b"BM" + struct.pack("<IHHI", 14 + len(head) + len(body), 0, 0, 14 + len(head)) + head + body


def _gif_of_a_small_frame(picture: Image.Image) -> bytes:
    small = _file(picture.crop((0, 0, 9, 8)), "GIF")
    return small[:6] + struct.pack("<2H", WIDTH, HEIGHT) + small[10:]


def _heic_of_10_bits(picture: Image.Image) -> bytes:
    deep = np.asarray(picture).astype(np.uint16) * 257
    buffer = BytesIO()
    pillow_heif.from_bytes(mode="RGB;16", size=picture.size, data=deep.tobytes()).save(buffer)
    return buffer.getvalue()


def _png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
