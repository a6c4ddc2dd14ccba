"""Chooses the files for the results."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import typer

from app.cli.existing import is_answer
from app.cli.inputs import STANDARD_INPUT, Search, Source, is_image_name
from app.formats.output_format import OutputFormat
from app.parameters import FormatName

STANDARD_OUTPUT = Path("-")


@dataclass(frozen=True, slots=True)
class Task:
    """An image and the file for its result.

    Attributes:
        source: the image.
        target: the result's file, or ``-`` for standard output.
        is_finished: whether the result exists already.
        is_taken: whether something else exists there.
    """

    source: Source
    target: Path
    is_finished: bool = False
    is_taken: bool = False

    @property
    def file(self) -> str:
        """Name of the image in reports."""
        return str(self.source.path)

    def looked_up(self) -> Self:
        """Check the target: the task is finished if the result exists and is not older than the image."""
        if not os.path.lexists(self.target):
            return self
        try:
            # An earlier image on standard input may have been another one.
            if self.source.path == STANDARD_INPUT or not is_answer(self.target):
                return replace(self, is_taken=True)
            is_new = self.target.stat().st_mtime >= self.source.path.stat().st_mtime
        except OSError:
            return replace(self, is_taken=True)
        return replace(self, is_finished=is_new)


def is_file_name(output: Path, paths: Sequence[Path], form: FormatName) -> bool:
    """Whether ``-o`` names a file for the single image, rather than a folder.

    Raises:
        typer.BadParameter: it names a file for several images, or for another format.
    """
    is_one = len(paths) == 1 and not paths[0].is_dir()
    if output.is_dir() or not (output.is_file() or is_image_name(output) or output.suffix.lower() == ".json"):
        return False
    suffix = f".{OutputFormat(form).suffix.rpartition('.')[2]}"
    if is_one and output.suffix.lower() != suffix:
        raise typer.BadParameter(f"{output} does not fit --format {form}, which makes {suffix} files")
    if output.is_file() and not is_one:
        raise typer.BadParameter(f"{output} is a file; the results of several images need a folder")
    return is_one


def searched_again(folders: Sequence[Path], output: Path) -> dict[Path, Path]:
    """The image folders in which a later run would take results for images, each with its resolved path. A folder that
    contains ``output`` is not one of them, since its search leaves out ``output``.
    """
    left_out = output.resolve()
    places = {folder: folder.resolve() for folder in folders}
    return {
        folder: place for folder, place in places.items() if left_out == place or not left_out.is_relative_to(place)
    }


def assign_targets(found: Search, folder: Path, form: FormatName) -> list[Task]:
    """Choose a separate file below ``folder`` for each result: the image's path relative to the common base folder,
    with another suffix. Images that differ only in their suffix keep it: the masks of ``a.jpg`` and ``a.png`` are
    ``a.jpg.png`` and ``a.png.png``.
    """
    whole = [_path_below(source, found.base) for source in found.sources]
    names = [path.with_suffix("") for path in whole]
    while collisions := _collisions(names, whole):
        for index in collisions:
            names[index] = whole[index]
    suffix = OutputFormat(form).suffix
    return [
        Task(source, folder / name.with_name(name.name + suffix))
        for source, name in zip(found.sources, names, strict=True)
    ]


def _collisions(names: list[Path], whole: list[Path]) -> list[int]:
    """Indices of the names that occur more than once, and can still be made longer."""
    # Some file systems ignore case.
    folded = [str(name).casefold() for name in names]
    counts = Counter(folded)
    return [index for index, name in enumerate(folded) if counts[name] > 1 and names[index] != whole[index]]


def _path_below(source: Source, base: Path) -> Path:
    if source.path == STANDARD_INPUT:
        return Path("stdin")
    return Path(os.path.relpath(source.path, base))
