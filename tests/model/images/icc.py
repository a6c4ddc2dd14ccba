"""Small ICC profiles, and their sRGB colours by the specification's own matrices."""

import struct
from itertools import product

import numpy as np
from numpy.typing import NDArray

Primaries = tuple[tuple[float, float, float], ...]
"""(X, Y, Z) of red, green and blue under D50."""

ADOBE_RGB: Primaries = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))

_D50 = (0.9642, 1.0, 0.8249)
_SRGB_OF_XYZ = np.array([[3.1339, -1.6169, -0.4906], [-0.9788, 1.9161, 0.0335], [0.0719, -0.2290, 1.4052]])


def rgb_profile(gamma: float, primaries: Primaries = ADOBE_RGB) -> bytes:
    """An RGB display's profile, version 2."""
    names = ((b"rXYZ", b"rTRC"), (b"gXYZ", b"gTRC"), (b"bXYZ", b"bTRC"))
    tags: dict[bytes, bytes] = {}
    for (color, curve), values in zip(names, primaries, strict=True):
        tags |= {color: _xyz(values), curve: _curve(gamma)}
    return _profile(b"mntr", b"RGB ", b"XYZ ", tags)


def grey_profile(gamma: float) -> bytes:
    """A grey display's profile."""
    return _profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": _curve(gamma)})


def cmyk_profile() -> bytes:
    """A press's profile in which only black ink matters: the lightness is what it leaves."""
    ramp = bytes(range(256))
    table = b"".join(bytes((0 if inks[3] else 255, 128, 128)) for inks in product((0, 1), repeat=4))
    identity = struct.pack(">9i", *(65536 if at % 4 == 0 else 0 for at in range(9)))
    lut = b"mft1\0\0\0\0" + bytes((4, 3, 2, 0)) + identity + ramp * 4 + table + ramp * 3
    return _profile(b"prtr", b"CMYK", b"Lab ", {b"A2B0": lut})


def srgb_of(color: tuple[int, ...], gamma: float, primaries: Primaries = ADOBE_RGB) -> NDArray[np.float64]:
    """The sRGB colour, (3,), 0..255, of a colour in an RGB profile."""
    return _encoded(_SRGB_OF_XYZ @ np.array(primaries).T @ (np.array(color) / 255) ** gamma)


def srgb_of_grey(grey: float, gamma: float) -> float:
    """The sRGB grey, 0..255, of a grey of 0..255 in a grey profile."""
    return float(_encoded(np.array((grey / 255) ** gamma)))


def srgb_of_lightness(lightness: float) -> float:
    """The sRGB grey, 0..255, of CIE lightness, 0..100."""
    root = (lightness + 16) / 116
    return float(_encoded(np.array(root**3 if root > 6 / 29 else lightness / 903.3)))


def _encoded(light: NDArray[np.float64]) -> NDArray[np.float64]:
    light = np.clip(light, 0, 1)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def _profile(kind: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    described = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(79),
        b"cprt": b"text\0\0\0\0none\0",
        b"wtpt": _xyz(_D50),
        **tags,
    }
    table, data, start = b"", b"", 132 + 12 * len(described)
    for name, body in described.items():
        table += struct.pack(">4sII", name, start + len(data), len(body))
        data += body + bytes(-len(body) % 4)
    head = struct.pack(">I4sI4s4s4s", start + len(data), b"none", 0x02100000, kind, space, connection)
    head += bytes(12) + b"acsp" + bytes(28) + _fixed(*_D50)
    return head.ljust(128, b"\0") + struct.pack(">I", len(described)) + table + data


def _curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IHxx", 1, round(gamma * 256))


def _xyz(values: tuple[float, ...]) -> bytes:
    return b"XYZ \0\0\0\0" + _fixed(*values)


def _fixed(*values: float) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)
