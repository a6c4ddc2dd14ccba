"""Text files in the encodings of different systems."""

from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from io import TextIOWrapper
from pathlib import Path


def read_text(file: Path) -> str:
    """Read a text file in UTF-8, or in UTF-16 with a byte order mark as written by PowerShell, without the mark.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is in another encoding.
    """
    with file.open("rb") as stream:
        is_utf_16 = stream.peek()[:2] in (BOM_UTF16_LE, BOM_UTF16_BE)
        with TextIOWrapper(stream, "utf-16" if is_utf_16 else "utf-8-sig") as lines:
            text = lines.read()
    if "\0" in text:
        raise ValueError("it holds zero bytes; UTF-8 is read, and UTF-16 with a byte order mark")
    return text
