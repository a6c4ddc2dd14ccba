"""Counting how often processing of a file began and did not end, which means that the process died."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Tries:
    """Counts of unfinished tries, kept in files, which outlive processes.

    Args:
        folder: folder of those files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def count(self, name: str) -> int:
        """Number of tries that have not ended."""
        try:
            return self._mark(name).stat().st_size
        except FileNotFoundError:
            return 0

    @contextmanager
    def one(self, name: str) -> Iterator[None]:
        """Context of one try, which ends with the block, even by an exception."""
        self._folder.mkdir(parents=True, exist_ok=True)
        mark = self._mark(name)
        with mark.open("ab") as file:
            file.write(b".")
        try:
            yield
        finally:
            mark.unlink(missing_ok=True)

    def _mark(self, name: str) -> Path:
        return self._folder / hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
