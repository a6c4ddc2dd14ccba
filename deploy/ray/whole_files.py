"""Output files that exist whole or not at all, even if the process is killed while writing."""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

UNFINISHED = ".unfinished"
"""Name of the folder for unfinished files, in the output folder and so on its file system; no image has such a name."""


class WholeFiles:
    """Writes unfinished files under unique names, so that two processes working on one image do not disturb each other.

    That happens when a process was given up but has not yet ended.

    Args:
        output: root folder of all output files.
    """

    def __init__(self, output: Path) -> None:
        self._folder = output / UNFINISHED

    @contextmanager
    def replacing(self, target: Path) -> Iterator[Path]:
        """Yield the path of a file to write, which replaces ``target`` atomically at the end of the block."""
        target.parent.mkdir(parents=True, exist_ok=True)
        self._folder.mkdir(parents=True, exist_ok=True)
        unfinished = self._folder / uuid.uuid4().hex
        try:
            yield unfinished
            unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)

    def clean(self) -> None:
        """Remove the unfinished files of killed runs."""
        with suppress(FileNotFoundError):
            shutil.rmtree(self._folder)
