"""Building data sets from archives on the web."""

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
    """The part of a data set that comes from one archive.

    Attributes:
        title: human-readable name.
        archive: archive to download.
        results: files and folders that it adds, in the order in which they are moved in. Lists come last: without
            them, the other files do not count as a data set.
        make: function that builds the results, given the archive, an empty working folder and the data set's folder;
            returns the folder that holds them.
    """

    title: str
    archive: Archive
    results: tuple[str, ...]
    make: Callable[[Path, Path, Path], Path]


def fetch(root: Path, parts: Sequence[Part], *, keep_archives: bool = False) -> bool:
    """Download and unpack the parts that a data set lacks.

    Parts are built in a separate folder and moved in once complete; then their archive is recorded in the file
    ``fetched.md5``. After an interruption, the next call resumes the download and removes other leftovers.

    Args:
        root: folder of the data set.
        parts: parts of the data set; later ones may depend on earlier ones.
        keep_archives: whether to keep the archives in the folder ``archives``; an existing archive is not downloaded.

    Returns:
        Whether anything was missing.

    Raises:
        FetchError: a part cannot be downloaded or built, or the folder holds data from another origin.
    """
    missing = [part for part in parts if not _has(root, part)]
    try:
        if missing:
            _claim(root, missing)
        for part in missing:
            _add(root, part, keep_archives)
    except OSError as error:
        raise FetchError(f"{root} cannot be written: {error}") from error
    return bool(missing)


def _has(root: Path, part: Part) -> bool:
    record = root / _RECORD
    recorded = record.is_file() and _entry(part) in record.read_text().splitlines()
    return recorded and all((root / result).exists() for result in part.results)


def _entry(part: Part) -> str:
    return f"{part.archive.md5}  archives/{part.archive.name}"


def _claim(root: Path, parts: Sequence[Part]) -> None:
    """Create the record, whose presence means that existing results may be replaced."""
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
        with suppress(OSError):  # the folder holds other files
            archives.rmdir()


@contextmanager
def _empty_folder(folder: Path) -> Iterator[Path]:
    """Create an empty working folder, and remove it at the end."""
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
