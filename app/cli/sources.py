"""Which images there are."""

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.cli.errors import FileError
from app.cli.report import Failure
from model.image_suffixes import IMAGE_SUFFIXES

STANDARD_INPUT = Path("-")


@dataclass(frozen=True, slots=True)
class Source:
    """An image file, or standard input, whose path is ``-``."""

    path: Path

    def read(self) -> bytes:
        """All of it.

        Raises:
            FileError: it cannot be read.
        """
        try:
            return sys.stdin.buffer.read() if self.path == STANDARD_INPUT else self.path.read_bytes()
        except OSError as error:
            raise FileError(f"the file cannot be read: {error.strerror}") from error
        except MemoryError as error:
            raise FileError("there is too little memory to read the file") from error


def is_image_name(path: Path) -> bool:
    """Whether a file of this name is taken from a folder; a file that is named itself is taken in any case."""
    return path.suffix.lower() in IMAGE_SUFFIXES


@dataclass(frozen=True, slots=True)
class Search:
    """What was found.

    Attributes:
        sources: each once, those of a folder by name.
        failures: folders that cannot be read.
        folders: that were searched.
        base: the folder that all of them lie in, absolute.
    """

    sources: list[Source] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    base: Path = field(default_factory=Path.cwd)


def search(paths: Sequence[Path], output: Path | None, *, is_recursive: bool) -> Search:
    """Find the images that are meant.

    Args:
        paths: of files and folders.
        output: folder that is left out: a later run must not take masks for photographs.
        is_recursive: whether folders in folders are searched.
    """
    found: dict[Path, Source] = {}
    failures: list[Failure] = []
    folders = [path for path in paths if path.is_dir()]
    for path in paths:
        files = _images(path, output, failures, is_recursive=is_recursive) if path.is_dir() else [path]
        for file in files:
            found.setdefault(file.parent.resolve() / file.name, Source(file))
    bases = [_absolute(path if path.is_dir() else path.parent) for path in paths if path != STANDARD_INPUT]
    base = Path(os.path.commonpath(bases)) if bases else Path.cwd()
    return Search(list(found.values()), failures, folders, base)


def _images(folder: Path, output: Path | None, failures: list[Failure], *, is_recursive: bool) -> Iterator[Path]:
    def fail(error: OSError) -> None:
        failures.append(Failure(str(error.filename), f"the folder cannot be read: {error.strerror}"))

    left_out = None if output is None else _absolute(output)
    for place, folders, files in os.walk(folder, onerror=fail):
        # In place, for this decides where the walk goes on.
        folders[:] = sorted(
            name
            for name in folders
            if is_recursive and not name.startswith(".") and _absolute(Path(place, name)) != left_out
        )
        for name in sorted(files):
            if is_image_name(Path(name)) and not name.startswith("."):
                yield Path(place, name)


def _absolute(path: Path) -> Path:
    """Without ``..``, and with symbolic links as they are."""
    return Path(os.path.abspath(path))  # noqa: PTH100 (Path.absolute keeps ..)
