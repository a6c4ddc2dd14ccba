"""Files that are written whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

_NAME_CHARACTERS = 40
"""Maximum characters kept of a file's name, which may be as long as the file system allows."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file to write that takes the place of ``path`` at the end of the block, in one step.

    A reader sees the old file or the whole new one, also after a kill at any moment. If the block raises, what it
    wrote is removed and ``path`` stays as it was. The file has a name that nobody else has or takes, another run for
    the same path neither.
    """
    unfinished = path.with_name(f".{path.name[:_NAME_CHARACTERS]}.{uuid4().hex}.part")
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
