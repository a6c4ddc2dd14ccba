"""The tables of ``images.md``, generated from the code that reads images."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from model.errors import UnsupportedImageError
from model.images.signatures import NAMES
from model.images.tiff import COMPRESSIONS, PHOTOMETRICS, TiffLayout

_GREY, _RGB, _PALETTE, _YCBCR = 1, 2, 3, 6
_UNSIGNED, _SIGNED, _FLOAT = 1, 2, 3
_PREMULTIPLIED, _STRAIGHT = 1, 2
_CHANNELS = {0: 1, _GREY: 1, _RGB: 3, _PALETTE: 1, 5: 4, _YCBCR: 3, 8: 3, 9: 3, 10: 3, 32845: 3}
_MAX_BITS = 64


def tiff_samples() -> str:
    """Table of the TIFF samples that are read, by photometric interpretation."""
    rows = [
        "| pixels | unsigned bits | signed bits | float bits | alpha | in planes |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for code, name in PHOTOMETRICS.items():
        kinds = [_ranges(_bits(code, kind)) for kind in (_UNSIGNED, _SIGNED, _FLOAT)]
        alphas = ((_STRAIGHT, "straight"), (_PREMULTIPLIED, "premultiplied"))
        alpha = ", ".join(word for extra, word in alphas if _is_read(code, extra=extra))
        planes = "yes" if _is_read(code, is_planar=True) else ""
        cells = [*kinds, alpha, planes]
        rows.append(f"| {name} ({code}) | {' | '.join(cells) if any(cells) else '415 | 415 | 415 | |'} |")
    return "\n".join(rows) + "\n"


def tiff_compressions() -> str:
    """Table of what is read of each TIFF compression."""
    codes: dict[str, list[int]] = {}
    for code, name in COMPRESSIONS.items():
        codes.setdefault(name, []).append(code)
    rows = ["| compression | read |", "| --- | --- |"]
    for name, numbers in codes.items():
        read = next((words for code in numbers if (words := _compressed(code))), "415")
        rows.append(f"| {name} ({', '.join(map(str, numbers))}) | {read} |")
    return "\n".join(rows) + "\n"


def refused_formats() -> str:
    """List of the formats that are refused by name."""
    return f"{', '.join(sorted(NAMES, key=lambda name: name.partition(' ')[2].casefold()))}.\n"


def _compressed(compression: int) -> str:
    if _is_read(_RGB, bits=16, compression=compression):
        return "all pixels above"
    if _is_read(_GREY, bits=1, compression=compression):
        return "black and white"
    pixels = {_GREY: "grey", _RGB: "RGB", _YCBCR: "YCbCr"}
    names = [name for code, name in pixels.items() if _is_read(code, compression=compression)]
    return f"8 bits, interleaved: {', '.join(names)}" if names else ""


def _bits(photometric: int, kind: int) -> Sequence[int]:
    return [bits for bits in range(1, _MAX_BITS + 1) if _is_read(photometric, bits=bits, kind=kind)]


def _is_read(
    photometric: int,
    *,
    bits: int = 8,
    kind: int = _UNSIGNED,
    compression: int = 1,
    extra: int = 0,
    is_planar: bool = False,
) -> bool:
    channels = _CHANNELS.get(photometric, 1) + (extra > 0)
    tags: Mapping[int, tuple[int, ...]] = {
        258: (bits,) * channels,
        259: (compression,),
        262: (photometric,),
        277: (channels,),
        284: (1 + is_planar,),
        339: (kind,) * channels,
        338: (extra,),
        320: (65535,) * 6,
        530: (1, 1),
    }
    try:
        TiffLayout(0, "<", tags).is_read_by_pillow()
    except UnsupportedImageError:
        return False
    return True


def _ranges(numbers: Iterable[int]) -> str:
    """Render ascending numbers as ranges, such as ``1-16, 32``."""
    texts: list[str] = []
    first = None
    for number, following in pairwise([*numbers, _MAX_BITS * 2]):
        first = number if first is None else first
        if following != number + 1:
            texts.append(str(number) if first == number else f"{first}-{number}")
            first = None
    return ", ".join(texts)
