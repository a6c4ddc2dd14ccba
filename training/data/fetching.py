"""Data sets that are made of archives on the web."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from training.data.archive import Archive
from training.errors import FetchError

_RECORD = "fetched.md5"


@dataclass(frozen=True, slots=True)
class Part:
    """What one archive adds to a data set.

    Attributes:
        title: for people.
        archive: where it comes from.
        results: the files and folders that it adds, in the order in which they appear. Lists come last: without
            them nothing takes the rest for a data set.
        make: makes them of the archive; given that, an empty folder to work in and the data set's folder, and
            returns the folder that holds them.
    """

    title: str
    archive: Archive
    results: tuple[str, ...]
    make: Callable[[Path, Path, Path], Path]


def fetch(root: Path, parts: Sequence[Part], *, keep_archives: bool = False) -> bool:
    """Download and unpack the parts that a data set does not have yet.

    Parts are built beside the data set and moved in when they are finished; then the file ``fetched.md5`` names their
    archive. What an interruption left behind is used if it is a download, and else removed by the next call.

    Args:
        root: the data set's folder.
        parts: later ones may need earlier ones.
        keep_archives: leave the archives in the folder ``archives``; one that lies there is not downloaded.

    Returns:
        Whether anything was missing.

    Raises:
        FetchError: a part cannot be had, or the folder holds data that are not from here.
    """
    missing = [part for part in parts if not _has(root, part)]
    try:
        if missing:
            _claim(root, missing)
        for part in missing:
            _add(root, part, keep_archives)
    except OSError as error:
        raise FetchError(f"{root} cannot be filled: {error}") from error
    return bool(missing)


def _has(root: Path, part: Part) -> bool:
    record = root / _RECORD
    recorded = record.is_file() and _entry(part) in record.read_text().splitlines()
    return recorded and all((root / result).exists() for result in part.results)


def _entry(part: Part) -> str:
    return f"{part.archive.md5}  archives/{part.archive.name}"


def _claim(root: Path, parts: Sequence[Part]) -> None:
    """Begin the record, whose presence says that what else is there may be replaced."""
    record = root / _RECORD
    foreign = [result for part in parts for result in part.results if (root / result).exists()]
    if foreign and not record.exists():
        raise FetchError(f"{root} holds {foreign[0]} from elsewhere, which would be replaced: choose another folder")
    root.mkdir(parents=True, exist_ok=True)
    record.touch()


def _add(root: Path, part: Part, keep_archive: bool) -> None:
    archives = root / "archives"
    archives.mkdir(exist_ok=True)
    archive = part.archive.download(archives)
    with _empty_folder(root / "unpacking") as workplace:
        made = part.make(archive, workplace, root)
        for result in part.results:
            if not (made / result).exists():
                raise FetchError(f"{part.archive.name} holds no {result}")
        for result in part.results:
            _move(made / result, root / result)
    with (root / _RECORD).open("a") as record:
        record.write(_entry(part) + "\n")
    if not keep_archive:
        archive.unlink()
        with suppress(OSError):  # something else is in it
            archives.rmdir()


@contextmanager
def _empty_folder(folder: Path) -> Iterator[Path]:
    """A folder to work in, removed in the end."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _move(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_dir():
        shutil.rmtree(target)
    source.replace(target)
