"""Finds the input images."""

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
        """Read the whole file.

        Raises:
            FileError: the file cannot be read.
        """
        if self.path == STANDARD_INPUT and sys.stdin is None:
            raise FileError("standard input is closed")
        try:
            return sys.stdin.buffer.read() if self.path == STANDARD_INPUT else self.path.read_bytes()
        except OSError as error:
            raise FileError(f"the file cannot be read: {error.strerror}") from error
        except MemoryError as error:
            raise FileError("there is too little memory to read the file") from error


def is_image_name(path: Path) -> bool:
    """Whether a search of a folder finds a file of this name; a file given by name is used in any case."""
    return path.suffix.lower() in IMAGE_SUFFIXES


@dataclass(frozen=True, slots=True)
class Search:
    """The result of a search.

    Attributes:
        sources: the images, each once; within a folder, by name.
        failures: folders that cannot be read.
        left_out: files in folders whose names are not those of images.
        folders: the folders searched.
        base: common base folder of all images, as an absolute path.
    """

    sources: list[Source] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    left_out: list[Path] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    base: Path = field(default_factory=Path.cwd)


def search(paths: Sequence[Path], output: Path | None, *, is_recursive: bool) -> Search:
    """Find the images.

    Args:
        paths: paths of files and folders.
        output: folder that is left out, so that a later run does not take masks for images.
        is_recursive: whether subfolders are searched.
    """
    found: dict[Path, Source] = {}
    walk = _Walk(None if output is None else output.resolve(), is_recursive=is_recursive)
    folders = [path for path in paths if path.is_dir()]
    for path in paths:
        for file in walk.images(path) if path.is_dir() else [path]:
            found.setdefault(_absolute(file), Source(file))
    bases = [_absolute(path if path.is_dir() else path.parent) for path in paths if path != STANDARD_INPUT]
    base = Path(os.path.commonpath(bases)) if bases else Path.cwd()
    return Search(list(found.values()), walk.failures, walk.left_out, folders, base)


class _Walk:
    """Walks through folders, following symbolic links.

    Args:
        output: folder that is left out, with symbolic links resolved.
        is_recursive: whether subfolders are searched.

    Attributes:
        failures: folders that cannot be read.
        left_out: files whose names are not those of images.
    """

    def __init__(self, output: Path | None, *, is_recursive: bool) -> None:
        self.failures: list[Failure] = []
        self.left_out: list[Path] = []
        self._output = output
        self._is_recursive = is_recursive

    def images(self, folder: Path, above: frozenset[Path] = frozenset()) -> Iterator[Path]:
        """Yield a folder's images by name, then those of its subfolders.

        Args:
            folder: the folder to search.
            above: resolved paths of the parent folders: following a link to one of them would never end.
        """
        try:
            paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
        except OSError as error:
            self.failures.append(Failure(str(folder), f"the folder cannot be read: {error.strerror}"))
            return
        folders = [path for path in paths if path.is_dir()]
        for file in (path for path in paths if not path.is_dir()):
            if is_image_name(file):
                yield file
            else:
                self.left_out.append(file)
        within = above | {folder.resolve()}
        for inner in folders if self._is_recursive else ():
            if inner.resolve() not in within | {self._output}:
                yield from self.images(inner, within)


def _absolute(path: Path) -> Path:
    """Make a path absolute and remove ``..``, without resolving symbolic links."""
    return Path(os.path.abspath(path))  # noqa: PTH100 (Path.absolute keeps ..)
