"""Malicious image files: small files that claim or unpack to large content."""

import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO

import numpy as np
from PIL import Image

from tests.model.images.encoding import encoded

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "HEIF", "AVIF")

_SIDE = 65535
_FRAMES = 10_000


def plain(file_format: str) -> bytes:
    """A valid file of noise, 64 x 64."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    return encoded(Image.fromarray(noise), file_format)


def huge(file_format: str, side: int = _SIDE) -> bytes:
    """A file that claims 65,535 x 65,535 pixels, and starts with some of them."""
    match file_format:
        case "PNG":
            return _png(side, side, _chunk(b"IDAT", zlib.compress(bytes(1 << 20))))
        case "GIF":
            return _gif(side, side, [(side, side)])
        case "BMP":
            return _bmp(side, side, compression=0, pixels=bytes(1000))
        case "TIFF":
            return _tiff({256: side, 257: side, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: side, 279: 1000})
        case "WEBP":
            return _webp(side, side, _riff(b"VP8L", _webp_pixel()))
        case "JPEG":
            file = plain("JPEG")
            at = file.index(b"\xff\xc0") + 5
            return file[:at] + struct.pack(">HH", side, side) + file[at + 4 :]
        case _:
            file = plain(file_format)
            at = file.index(b"ispe") + 8
            return file[:at] + struct.pack(">II", side, side) + file[at + 8 :]


def damaged(file_format: str) -> Iterator[bytes]:
    """Yield a file truncated at many positions, and with bits flipped at many."""
    file = plain(file_format)
    for end in np.linspace(1, len(file) - 1, 20, dtype=int):
        yield file[:end]
    random = np.random.default_rng(1)
    for _ in range(20):
        body = bytearray(file)
        for at in random.integers(0, len(file), 8):
            body[at] ^= 1 << int(random.integers(8))
        yield bytes(body)


def png_of_text(kind: bytes) -> bytes:
    """A text chunk that unpacks to 64 MB."""
    packed = zlib.compress(bytes(64_000_000), 9)
    head = b"Comment\0\0" if kind == b"zTXt" else b"Comment\0\1\0\0\0"
    return _png(8, 8, _chunk(kind, head + packed), _png_pixels(8, 8))


def png_of_many_texts() -> bytes:
    """200 text chunks that unpack to a megabyte each: each is allowed, all together are not."""
    text = _chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(1_000_000), 9))
    return _png(8, 8, *[text] * 200, _png_pixels(8, 8))


def png_of_nested_profile() -> bytes:
    """An ICC profile compressed three times, which would unpack to 64 MB."""
    packed = zlib.compress(zlib.compress(zlib.compress(bytes(64_000_000), 9), 9), 9)
    return _png(8, 8, _chunk(b"iCCP", b"ICC\0\0" + packed), _png_pixels(8, 8))


def png_of_large_profile() -> bytes:
    """An ICC profile that unpacks to 64 MB."""
    return _png(8, 8, _chunk(b"iCCP", b"ICC\0\0" + zlib.compress(bytes(64_000_000), 9)), _png_pixels(8, 8))


def jpeg_of_large_profile() -> bytes:
    """An ICC profile of 255 segments, 16 MB in all."""
    segments = [_segment(0xE2, b"ICC_PROFILE\0" + bytes([n, 255]) + bytes(65_000)) for n in range(1, 256)]
    return _jpeg_with(*segments)


def jpeg_of_large_exif() -> bytes:
    """EXIF of 200 segments, 13 MB in all, whose directory has 65,535 entries."""
    return _jpeg_with(*[_segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + bytes(65_000))] * 200)


def jpeg_of_looping_exif() -> bytes:
    """EXIF whose directory refers to itself as its subdirectories and as the next directory."""
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, 8) for tag in (0x8769, 0x8825, 0xA005))
    return _jpeg_with(
        _segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 3) + entries + struct.pack("<I", 8))
    )


def jpeg_of_impossible_codes() -> bytes:
    """A Huffman table with 255 codes of each length; there are two of length 1."""
    return _jpeg_with(_segment(0xC4, b"\0" + bytes([255]) * 16 + bytes(255 * 16)))


def jpeg_without_codes() -> bytes:
    """A JPEG without Huffman tables, as in Motion JPEG: the standard codes apply."""
    file = plain("JPEG")
    start, end = file.index(b"\xff\xc4"), file.index(b"\xff\xda")
    return file[:start] + file[end:]


def jpeg_of_endless_scans() -> bytes:
    """A progressive JPEG that scans its 4 million pixels 5,000 times, with 31 bytes per scan."""
    file = encoded(Image.new("RGB", (2000, 2000)), "JPEG", progressive=True)
    scan = file[file.rindex(b"\xff\xda") : -2]
    return file[:-2] + scan * 5_000 + file[-2:]


def tiff_of_looping_directories() -> bytes:
    """A TIFF whose next directory is the first one again."""
    return _tiff({256: 8, 257: 8, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 8, 279: 64}, following=1008)


def tiff_of_huge_tag() -> bytes:
    """A TIFF with a description of four billion characters, and as many strip offsets."""
    long = {270: (2, 0xFFFFFFFF, 8), 273: (4, 0xFFFFFFFF, 8)}
    return _tiff({256: 8, 257: 8, 258: 8, 259: 1, 262: 1, **long, 277: 1})


def tiff_of_many_entries() -> bytes:
    """A TIFF whose directory claims 65,535 entries."""
    return b"II*\0\x08\0\0\0\xff\xff" + struct.pack("<HHII", 256, 4, 1, 8) * 1000


def tiff_of_huge_tile() -> bytes:
    """An image of 8 x 8 in a tile of 60,000 x 60,000, compressed."""
    tags = {256: 8, 257: 8, 258: 8, 259: 8, 262: 1, 277: 1, 322: 60_000, 323: 60_000, 324: 8, 325: 900}
    return _tiff(tags, zlib.compress(bytes(1 << 20)))


def bmp_of_jumps() -> bytes:
    """A BMP whose run lengths only skip pixels."""
    return _bmp(300, 300, compression=1, pixels=b"\0\2\xff\xff" * 20_000)


def animated_gif() -> bytes:
    return _gif(8, 8, [(8, 8)] * _FRAMES)


def animated_png() -> bytes:
    packed = zlib.compress(bytes(9 * 8))
    frames = []
    for n in range(_FRAMES):
        control = struct.pack(">IIIIIHHBB", max(0, 2 * n - 1), 8, 8, 0, 0, 1, 100, 0, 0)
        pixels = _chunk(b"fdAT", struct.pack(">I", 2 * n) + packed) if n else _chunk(b"IDAT", packed)
        frames.append(_chunk(b"fcTL", control) + pixels)
    return _png(8, 8, _chunk(b"acTL", struct.pack(">II", _FRAMES, 0)), *frames, grey=True)


def animated_webp() -> bytes:
    frame = _riff(b"ANMF", bytes(6) + bytes(6) + b"\x64\0\0\0" + _riff(b"VP8L", _webp_pixel()))
    return _webp(1, 1, _riff(b"ANIM", bytes(6)), *[frame] * _FRAMES, flags=2)


def jpeg_and_zip() -> bytes:
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("evil.sh", "rm -rf /")
    return plain("JPEG") + archive.getvalue()


def gif_and_html() -> bytes:
    return plain("GIF") + b"<script>alert(1)</script>"


def png_and_pdf() -> bytes:
    return plain("PNG") + b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj"


def without_pixels(file_format: str) -> bytes:
    """A file that claims 0 x 0 pixels."""
    return huge(file_format, side=0) if file_format != "WEBP" else _riff_file(_riff(b"VP8 ", _webp_zero()))


FINE: Mapping[str, Callable[[], bytes]] = {
    "zTXt bomb": lambda: png_of_text(b"zTXt"),
    "iTXt bomb": lambda: png_of_text(b"iTXt"),
    "many zTXt": png_of_many_texts,
    "ICC bomb": png_of_large_profile,
    "10,000 frames GIF": animated_gif,
    "10,000 frames PNG": animated_png,
    "10,000 frames WebP": animated_webp,
    "JPEG and ZIP": jpeg_and_zip,
    "GIF and HTML": gif_and_html,
    "PNG and PDF": png_and_pdf,
    "JPEG with a profile of 16 MB": jpeg_of_large_profile,
    "TIFF of looping directories": tiff_of_looping_directories,
    "BMP of jumps": bmp_of_jumps,
    "JPEG without Huffman codes": jpeg_without_codes,
    "nested ICC bomb": png_of_nested_profile,
    "JPEG with looping EXIF": jpeg_of_looping_exif,
    "JPEG with EXIF of 13 MB": jpeg_of_large_exif,
}
"""Unusual files that are valid images."""

HARMFUL: Mapping[str, Callable[[], bytes]] = {
    "impossible Huffman codes": jpeg_of_impossible_codes,
    "TIFF tag of 4 GB": tiff_of_huge_tag,
    "TIFF of 65,535 entries": tiff_of_many_entries,
    "TIFF tile of 60,000 x 60,000": tiff_of_huge_tile,
}


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(width: int, height: int, *chunks: bytes, grey: bool = False) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 0 if grey else 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + b"".join(chunks) + _chunk(b"IEND", b"")


def _png_pixels(width: int, height: int) -> bytes:
    return _chunk(b"IDAT", zlib.compress(bytes((3 * width + 1) * height)))


def _gif(width: int, height: int, frames: list[tuple[int, int]]) -> bytes:
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes([0, 0, 0, 255, 255, 255])
    file = encoded(Image.new("P", (8, 8), 1), "GIF")
    pixels = file[file.index(b",") + 10 : -1]
    return head + b"".join(b"," + struct.pack("<HHHHB", 0, 0, *size, 0) + pixels for size in frames) + b";"


def _bmp(width: int, height: int, compression: int, pixels: bytes) -> bytes:
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, compression, len(pixels), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 1078 + len(pixels), 0, 0, 1078) + info + bytes(1024) + pixels


def _tiff(tags: Mapping[int, int | tuple[int, int, int]], pixels: bytes = b"", following: int = 0) -> bytes:
    """A TIFF of tags with a value or with (type, count, offset); pixels start at 8, the directory at 1008 or later."""
    body = pixels.ljust(1000, b"\0")
    entries = (
        struct.pack("<HHII", tag, *((4, 1, value) if isinstance(value, int) else value)) for tag, value in tags.items()
    )
    directory = struct.pack("<H", len(tags)) + b"".join(entries) + struct.pack("<I", following)
    return b"II*\0" + struct.pack("<I", 8 + len(body)) + body + directory


def _riff(kind: bytes, data: bytes) -> bytes:
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def _riff_file(*chunks: bytes) -> bytes:
    return _riff(b"RIFF", b"WEBP" + b"".join(chunks))


def _webp(width: int, height: int, *chunks: bytes, flags: int = 0) -> bytes:
    canvas = struct.pack("<I", flags) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return _riff_file(_riff(b"VP8X", canvas), *chunks)


def _webp_pixel() -> bytes:
    """A lossless WebP bitstream of 1 x 1."""
    file = encoded(Image.new("RGB", (1, 1)), "WEBP", lossless=True)
    at = file.index(b"VP8L")
    return file[at + 8 : at + 8 + struct.unpack("<I", file[at + 4 : at + 8])[0]]


def _webp_zero() -> bytes:
    """A lossy WebP bitstream of 0 x 0."""
    return b"\x10\0\0\x9d\x01\x2a" + bytes(4) + bytes(20)


def _segment(marker: int, data: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def _jpeg_with(*segments: bytes) -> bytes:
    file = plain("JPEG")
    return file[:2] + b"".join(segments) + file[2:]
