"""How often work at a file was begun and not ended, which is when the process that did it has died."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Tries:
    """Kept in files, which outlive processes.

    Args:
        folder: where those files are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def count(self, name: str) -> int:
        """Tries that have not ended."""
        try:
            return self._mark(name).stat().st_size
        except FileNotFoundError:
            return 0

    @contextmanager
    def one(self, name: str) -> Iterator[None]:
        """A try, which ends with the block, well or not."""
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
