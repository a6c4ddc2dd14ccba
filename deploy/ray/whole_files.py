"""Answers' files that are there whole or not at all, whoever is killed while writing one."""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

UNFINISHED = ".unfinished"
"""Name of a folder inside that of the answers, and so on the same file system; no image has such a name."""


class WholeFiles:
    """Writes beside the answers what is not finished, each under a name of its own: two that work on one image, as one
    that was given up and is not yet gone, do not disturb each other.

    Args:
        output: folder of all answers.
    """

    def __init__(self, output: Path) -> None:
        self._folder = output / UNFINISHED

    @contextmanager
    def replacing(self, target: Path) -> Iterator[Path]:
        """A file to write that takes the place of ``target`` at the end of the block, in one step."""
        target.parent.mkdir(parents=True, exist_ok=True)
        self._folder.mkdir(parents=True, exist_ok=True)
        unfinished = self._folder / uuid.uuid4().hex
        try:
            yield unfinished
            unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)

    def clean(self) -> None:
        """Remove what runs that were killed have left."""
        with suppress(FileNotFoundError):
            shutil.rmtree(self._folder)
