"""A TIFF's layout, from its tags: the meaning of its samples, and which reader handles them correctly."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO, Literal

from PIL.TiffImagePlugin import ImageFileDirectory_v2

from model.errors import ImageDamagedError, UnsupportedImageError

_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_NO_PICTURE = 1 | 4
"""Bits of the tag NewSubfileType for a reduced picture and for a mask."""

_MAX_DIRECTORIES = 64
"""Maximum number of directories read: the main picture is among the first."""

COMPRESSIONS = {
    1: "none",
    2: "CCITT RLE",
    3: "CCITT T.4",
    4: "CCITT T.6",
    5: "LZW",
    6: "old-style JPEG",
    7: "JPEG",
    8: "deflate",
    32773: "PackBits",
    32946: "deflate",
    34925: "LZMA",
    50000: "Zstandard",
    50001: "WebP",
    32766: "NeXT",
    32771: "CCITT RLE/W",
    32809: "ThunderScan",
    33003: "JPEG 2000",
    33004: "JPEG 2000",
    33005: "JPEG 2000",
    34676: "SGI LogLuv",
    34677: "SGI LogLuv24",
    34661: "JBIG",
    34712: "JPEG 2000",
    34887: "LERC",
    34892: "lossy JPEG",
    34933: "PNG",
    34934: "JPEG XR",
    50002: "JPEG XL",
    52546: "JPEG XL",
}
_CAMERA_COMPRESSIONS = {32767, 32769, 34713, 65000, 65535}
_CAMERA_PHOTOMETRICS = {32803, 34892}
PHOTOMETRICS = {
    0: "white is zero",
    1: "black is zero",
    2: "RGB",
    3: "palette",
    4: "a mask",
    5: "CMYK",
    6: "YCbCr",
    8: "CIELab",
    9: "ICCLab",
    10: "ITULab",
    32844: "LogL",
    32845: "LogLuv",
}
_FORMATS = {1: "unsigned", 2: "signed", 3: "float", 4: "untyped", 5: "complex integer", 6: "complex"}
_COLORS = {0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 6: 3}
_BYTE_COMPRESSIONS = {1, 5, 8, 32773, 32946}
"""Lossless compressions of bytes, independent of their meaning."""
_BILEVEL_COMPRESSIONS = {2, 3, 4}


@dataclass(frozen=True, slots=True)
class TiffLayout:
    """How the pixels of a TIFF's picture are stored.

    Attributes:
        page: index of its directory in the chain.
        order: byte order, ``<`` or ``>``.
        tags: the directory's tags, as Pillow reads them.
    """

    page: int
    order: Literal["<", ">"]
    tags: Mapping[int, Any]

    def number(self, tag: int, default: int) -> int:
        """Return a tag's first value."""
        values = self.numbers(tag)
        return values[0] if values else default

    def numbers(self, tag: int) -> tuple[int, ...]:
        """Return a tag's values; empty if it is absent."""
        value: Any = self.tags.get(tag, ())
        try:
            return tuple(int(one) for one in (value if isinstance(value, tuple) else (value,)))
        except (TypeError, ValueError) as error:
            raise ImageDamagedError(f"the TIFF file's tag {tag} is {value!r}, which is not a number") from error

    @property
    def width(self) -> int:
        return self.number(256, 0)

    @property
    def height(self) -> int:
        return self.number(257, 0)

    @property
    def samples(self) -> int:
        return self.number(277, 1)

    @property
    def bits(self) -> int:
        return self.number(258, 1)

    @property
    def sample_format(self) -> int:
        value = self.number(339, 1)
        return 1 if value == 4 else value

    @property
    def photometric(self) -> int:
        return self.number(262, 1)

    @property
    def compression(self) -> int:
        return self.number(259, 1)

    @property
    def predictor(self) -> int:
        return self.number(317, 1)

    @property
    def orientation(self) -> int:
        return self.number(274, 1)

    @property
    def is_planar(self) -> bool:
        return self.number(284, 1) == 2

    @property
    def colors(self) -> int:
        """Colour samples per pixel, by photometric interpretation."""
        return _COLORS[self.photometric]

    @property
    def alpha(self) -> int:
        """Meaning of the first extra sample: 0 no alpha, 1 premultiplied alpha, 2 straight alpha."""
        extra = self.numbers(338)
        return extra[0] if self.samples > self.colors and extra and extra[0] in (1, 2) else 0

    @property
    def subsampling(self) -> tuple[int, int]:
        """Columns and rows of pixels that share their chroma, for YCbCr."""
        values = self.numbers(530)
        return (values[0], values[1]) if len(values) == 2 else (2, 2)

    @property
    def has_eight_bit_colors(self) -> bool:
        """Whether the palette's range is 0..255 instead of 0..65535, as some programs write it."""
        return self.photometric == 3 and max(self.numbers(320), default=0) < 256

    @property
    def sample_bytes(self) -> int:
        """Bytes per sample in memory."""
        return 1 if self.bits <= 8 else 2 if self.bits <= 16 else self.bits // 8

    def __str__(self) -> str:
        bits = ", ".join(str(bit) for bit in self.numbers(258) or (1,))
        photometric = PHOTOMETRICS.get(self.photometric, f"photometric interpretation {self.photometric}")
        compression = COMPRESSIONS.get(self.compression, str(self.compression))
        planes = ", in planes" if self.is_planar else ""
        alpha = ", premultiplied by alpha" if self.photometric in _COLORS and self.alpha == 1 else ""
        kind = _FORMATS.get(self.sample_format, f"format {self.sample_format}")
        return (
            f"{self.samples} samples per pixel of {bits} bits ({kind}, {photometric}{planes}{alpha}), "
            f"compression {compression}"
        )

    def is_read_by_pillow(self) -> bool:
        """Whether Pillow reads this layout correctly.

        Raises:
            UnsupportedImageError: neither Pillow nor ``tiff_samples`` reads it correctly.
        """
        if self.compression in _CAMERA_COMPRESSIONS or self.photometric not in _COLORS:
            raise self._unsupported()
        alike = len(set(self.numbers(258))) <= 1 and len(set(self.numbers(339))) <= 1
        extra = self.samples - self.colors
        is_spectral = extra > 1 and (self.colors == 1 or extra > len(self.numbers(338)))
        # Readers disagree on what alpha multiplies if 0 is white (the sample, or the remaining light), and if samples
        # are indices.
        is_ambiguous = self.photometric in (0, 3, 5) and self.alpha == 1
        if not alike or extra < 0 or is_spectral or is_ambiguous:
            raise self._unsupported()
        if self.compression in _BYTE_COMPRESSIONS:
            if self._is_usual():
                return True
            self._require_sample_reader()
            return False
        usual = not self.is_planar and self.sample_format == 1 and self.samples == self.colors
        if self.compression in _BILEVEL_COMPRESSIONS and usual and self.bits == 1:
            return True
        if self.compression == 7 and usual and self.bits == 8 and self.photometric in (0, 1, 2, 6):
            return True
        is_modern = self.compression in (34925, 50000)
        if is_modern and usual and self.bits == 8 and self.photometric in (1, 2):
            return True
        raise self._unsupported()

    def _is_usual(self) -> bool:
        """Whether the layout is a common one: interleaved samples of 8 bits, or of 1 bit."""
        if self.is_planar or self.sample_format != 1 or self.has_eight_bit_colors or self.number(266, 1) != 1:
            return False
        if self.predictor not in (1, 2) or (self.predictor == 2 and self.bits != 8):
            return False
        if self.bits == 1:
            return self.samples == 1 and self.photometric in (0, 1)
        if self.bits != 8:
            return False
        return self.samples == self.colors and self.photometric in (0, 1, 2, 3, 5)

    def _require_sample_reader(self) -> None:
        bits, kind = self.bits, self.sample_format
        is_sound = (kind == 1 and (1 <= bits <= 16 or bits == 32)) or (kind == 2 and bits in (8, 16, 32))
        if not (is_sound or (kind == 3 and bits in (16, 32, 64))):
            raise self._unsupported()
        if self.photometric == 3 and (kind != 1 or bits > 16):
            raise self._unsupported()
        if self.photometric == 6 and (kind != 1 or bits != 8 or self.samples != 3):
            raise self._unsupported()
        if self.photometric == 6 and self.subsampling != (1, 1):
            across, down = self.subsampling
            if self.is_planar or self.predictor != 1 or across not in (1, 2, 4) or down not in (1, 2, 4):
                raise self._unsupported()
        if self.predictor not in (1, 2, 3) or (self.predictor == 2 and bits not in (8, 16, 32, 64)):
            raise self._unsupported()
        if self.predictor == 3 and kind != 3:
            raise self._unsupported()

    def _unsupported(self) -> UnsupportedImageError:
        return UnsupportedImageError(f"the file is a TIFF file with an unsupported pixel layout: {self}")


def read_layout(file: BinaryIO) -> TiffLayout | None:
    """Read the layout of a TIFF's first picture that is neither a reduced one nor a mask; None if it is not a TIFF.

    Raises:
        ImageDamagedError: the directories cannot be read.
        UnsupportedImageError: the file is a camera's raw file.
    """
    file.seek(0)
    start = file.read(16)
    file.seek(0)
    if start[:4] not in _MAGIC:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about tags that do not concern pixels
            pages = list(_directories(file, start, None))
    except Exception as error:  # untrusted bytes can cause any exception
        raise ImageDamagedError(f"the TIFF file's header is damaged: {error}") from error
    finally:
        file.seek(0)
    if not pages:
        raise ImageDamagedError("the TIFF file has no directory")
    order: Literal["<", ">"] = "<" if start[:2] == b"II" else ">"
    layouts = [TiffLayout(number, order, tags) for number, tags in enumerate(pages)]
    _refuse_camera_files(file, start, layouts)
    return next(
        (one for one in layouts if not one.number(254, 0) & _NO_PICTURE and one.number(255, 1) != 2), layouts[0]
    )


def _directories(file: BinaryIO, start: bytes, offset: int | None) -> Iterator[Mapping[int, Any]]:
    is_big = 43 in (start[2], start[3])
    seen: set[int] = set()
    while len(seen) < _MAX_DIRECTORIES:
        tags = ImageFileDirectory_v2(start[: 16 if is_big else 8])
        at = tags.next if offset is None else offset
        if not at or at in seen:
            return
        seen.add(at)
        file.seek(at)
        tags.load(file)
        yield _values(tags)
        offset = tags.next


def _values(tags: ImageFileDirectory_v2) -> Mapping[int, Any]:
    """Read all tags, which Pillow does lazily; omit those that cannot be read."""
    values = {}
    for tag in tags:
        with suppress(Exception):
            values[tag] = tags[tag]
    return values


def _refuse_camera_files(file: BinaryIO, start: bytes, layouts: list[TiffLayout]) -> None:
    first = layouts[0]
    below: list[TiffLayout] = []
    for layout in layouts:
        for offset in layout.numbers(330)[:8]:
            # A damaged sub-directory gives no information.
            with suppress(Exception), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                below += [TiffLayout(0, first.order, tags) for tags in islice(_directories(file, start, offset), 1)]
            file.seek(0)
    maker = str(first.tags.get(271, "")).strip("\0 ")
    is_dng = 50706 in first.tags
    is_raw = any(
        one.photometric in _CAMERA_PHOTOMETRICS or one.compression in _CAMERA_COMPRESSIONS for one in layouts + below
    )
    is_preview = all(one.number(254, 0) & 1 for one in layouts) and bool(below)
    is_made = bool(maker) and any(one.width * one.height > first.width * first.height for one in below)
    if is_dng or is_raw or is_preview or is_made:
        kind = "DNG" if is_dng else _CAMERA_FILES.get(maker.split(" ")[0].upper(), "TIFF-based")
        raise UnsupportedImageError(f"the file is a camera's raw file ({kind}); export it as JPEG or TIFF")


_CAMERA_FILES = {"NIKON": "NEF", "SONY": "ARW", "PENTAX": "PEF", "CANON": "CR2", "SAMSUNG": "SRW", "HASSELBLAD": "3FR"}
