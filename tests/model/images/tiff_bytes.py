"""TIFF files with arbitrary directories, built byte by byte, which no library writes."""

import struct
from collections.abc import Mapping, Sequence
from typing import Literal

Order = Literal["<", ">"]
Values = Sequence[int] | bytes | str | Sequence[tuple[int, int]]
Tags = Mapping[int, Values]

_BYTE, _ASCII, _SHORT, _LONG, _RATIONAL, _UNDEFINED = 1, 2, 3, 4, 5, 7
_OFFSETS, _LENGTHS, _BELOW = 273, 279, 330
_TILE_OFFSETS, _TILE_LENGTHS, _TILE_WIDTH = 324, 325, 322


class TiffBytes:
    """A file under construction: add pixels and directories, the first directory of the chain last."""

    def __init__(self, order: Order = "<") -> None:
        self._order = order
        self._data = bytearray((b"II*\0" if order == "<" else b"MM\0*") + bytes(4))

    def directory(self, tags: Tags, *parts: bytes, below: Sequence[int] = (), following: int = 0) -> int:
        """Add the strips or tiles and the directory of an image; return the directory's offset.

        Args:
            tags: all tags except the offsets and lengths of the parts.
            parts: strips, or tiles if ``tags`` has a tile width.
            below: offsets of its subdirectories.
            following: offset of the next directory; 0 if there is none.
        """
        offsets = [self._append(part) for part in parts]
        are_tiles = _TILE_WIDTH in tags
        places = {
            _TILE_OFFSETS if are_tiles else _OFFSETS: offsets,
            _TILE_LENGTHS if are_tiles else _LENGTHS: [len(part) for part in parts],
            _BELOW: list(below),
        }
        every = {**tags, **{tag: values for tag, values in places.items() if values}}
        entries = b"".join(self._entry(tag, every[tag], is_offset=tag in places) for tag in sorted(every))
        start = struct.pack(f"{self._order}H", len(every))
        return self._append(start + entries + struct.pack(f"{self._order}I", following))

    def file(self, first: int) -> bytes:
        """Bytes of the file, whose first directory is at this offset."""
        self._data[4:8] = struct.pack(f"{self._order}I", first)
        return bytes(self._data)

    def _append(self, data: bytes) -> int:
        self._data += bytes(len(self._data) % 2)
        place = len(self._data)
        self._data += data
        return place

    def _entry(self, tag: int, values: Values, *, is_offset: bool) -> bytes:
        kind, count, data = self._packed(values, is_offset=is_offset)
        place = data.ljust(4, b"\0") if len(data) <= 4 else struct.pack(f"{self._order}I", self._append(data))
        return struct.pack(f"{self._order}HHI", tag, kind, count) + place

    def _packed(self, values: Values, *, is_offset: bool) -> tuple[int, int, bytes]:
        if isinstance(values, bytes):
            return _UNDEFINED, len(values), values
        if isinstance(values, str):
            return _ASCII, len(values) + 1, values.encode() + b"\0"
        flat: list[int] = []
        for value in values:
            flat += value if isinstance(value, tuple) else (value,)
        if len(flat) > len(values):
            return _RATIONAL, len(values), struct.pack(f"{self._order}{len(flat)}I", *flat)
        is_long = is_offset or max(flat, default=0) > 0xFFFF
        return (
            (_LONG if is_long else _SHORT),
            len(flat),
            struct.pack(f"{self._order}{len(flat)}{'I' if is_long else 'H'}", *flat),
        )


def tiff(tags: Tags, *parts: bytes, order: Order = "<") -> bytes:
    """Bytes of a file with one image."""
    file = TiffBytes(order)
    return file.file(file.directory(tags, *parts))
