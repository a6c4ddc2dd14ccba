"""Text files as other systems write them."""

from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from pathlib import Path


def read_text(file: Path) -> str:
    """A text in UTF-8, or in UTF-16 with a byte order mark, as PowerShell writes it; the mark is no part of it.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is in another encoding.
    """
    with file.open("rb") as stream:
        mark = stream.read(2)
    text = file.read_text("utf-16" if mark in (BOM_UTF16_LE, BOM_UTF16_BE) else "utf-8-sig")
    if "\0" in text:
        raise ValueError("it holds zero bytes; UTF-8 is read, and UTF-16 with a byte order mark")
    return text
