"""A decoder that fails as a faulty library would; a file's ending names the failure, which really happens."""

import ctypes
import os
import sys
import threading
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.images import decode
from app.images.decode import Allocate, Header
from app.images.worker import run
from app.problems import NOT_AN_IMAGE, ProblemError

STUCK_FILE = "STUCK_FILE"
"""Environment variable that names a file, made by the first decoder that gets stuck."""


def read_header(file: BinaryIO, max_pixels: int) -> Header:
    if file.read().endswith(b"segfault in header"):
        ctypes.string_at(0)
    file.seek(0)
    return decode.read_header(file, max_pixels)


def decode_image(file: BinaryIO, allocate: Allocate) -> NDArray[np.uint8]:
    match file.read().rpartition(b"|")[2]:
        case b"segfault":
            ctypes.string_at(0)
        case b"abort":
            os.abort()
        case b"loop":
            while True:
                pass
        case b"sleep":
            threading.Event().wait()
        case b"stuck once":
            stuck = Path(os.environ[STUCK_FILE])
            if not stuck.exists():
                stuck.touch()
                threading.Event().wait()
        case b"allocate":
            Image.new("L", (1 << 15, 1 << 15))
        case b"tell":
            modules = [name for name in ("torch", "fastapi", "pydantic", "orjson") if name in sys.modules]
            raise ProblemError(NOT_AN_IMAGE, f"formats {sorted(Image.OPEN)}, modules {modules}")
    file.seek(0)
    return decode.decode_image(file, allocate)


if __name__ == "__main__":
    run(read_header, decode_image)
