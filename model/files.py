"""Atomic writes: a file is written completely or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

_NAME_CHARACTERS = 40
"""Maximum characters kept of a file's name, which may already be as long as the file system allows."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield the path of a temporary file that atomically replaces ``path`` at the end of the block.

    A reader sees the old file or the whole new one, even if the process is killed at any moment. If the block raises,
    the temporary file is removed and ``path`` stays unchanged. The temporary name is unique, even among concurrent
    runs for the same path.
    """
    unfinished = path.with_name(f".{path.name[:_NAME_CHARACTERS]}.{uuid4().hex}.part")
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
