"""Plans a run: the images, and the files for their results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import typer

from app.cli.inputs import search
from app.cli.outputs import STANDARD_OUTPUT, Task, assign_targets, is_file_name, searched_again
from app.cli.report import Failure
from app.parameters import FormatName

_TAKEN = "exists and is not its result; move it away, or replace it with --overwrite"


@dataclass(frozen=True, slots=True)
class Plan:
    """The images and the files for their results.

    Attributes:
        names: names of all images, in the given order; within a folder, by name.
        tasks: one task per image, in the same order; after ``looked_up``, only for images whose target is not taken.
        failures: folders that cannot be read, and targets that are taken.
        left_out: files in folders whose names are not those of images.
        is_one_answer: whether the output is the file of a single result, rather than a folder.
    """

    names: list[str]
    tasks: list[Task]
    failures: list[Failure]
    left_out: list[str]
    is_one_answer: bool

    def looked_up(self) -> Self:
        """Check the targets: mark finished tasks, and turn those that would overwrite something else into failures."""
        found = [task.looked_up() for task in self.tasks]
        taken = [Failure(task.file, f"{task.target} {_TAKEN}") for task in found if task.is_taken]
        return replace(self, tasks=[task for task in found if not task.is_taken], failures=[*self.failures, *taken])


def make_plan(paths: Sequence[Path], output: Path, form: FormatName, *, is_recursive: bool) -> Plan:
    """Find the images, and choose a file for each result.

    Args:
        paths: paths of files and folders; ``-`` is standard input.
        output: a folder, a file, or ``-`` for standard output.
        form: output format.
        is_recursive: whether subfolders are searched.

    Raises:
        typer.BadParameter: the output does not fit the images.
    """
    if output == STANDARD_OUTPUT and (len(paths) != 1 or paths[0].is_dir()):
        raise typer.BadParameter("standard output, -o -, takes the result of one image")
    found = search(paths, None if output == STANDARD_OUTPUT else output, is_recursive=is_recursive)
    is_one_answer = output == STANDARD_OUTPUT or is_file_name(output, paths, form)
    tasks = [Task(found.sources[0], output)] if is_one_answer else assign_targets(found, output, form)
    images = {identity: source.path for source in found.sources if (identity := _identity(source.path))}
    searched = {} if is_one_answer else searched_again(found.folders, output)
    for task in tasks:
        _require_other(task.target, images)
        _require_apart(task.target, searched)
    left_out = [str(file) for file in found.left_out]
    return Plan([task.file for task in tasks], tasks, found.failures, left_out, is_one_answer)


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and inode of the file at a path; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _require_other(target: Path, images: Mapping[tuple[int, int], Path]) -> None:
    identity = None if target == STANDARD_OUTPUT else _identity(target)
    if identity is not None and identity in images:
        image = images[identity]
        raise typer.BadParameter(f"a result would overwrite the image {image}; name another file or folder with -o")


def _require_apart(target: Path, searched: Mapping[Path, Path]) -> None:
    for folder, place in searched.items():
        if target.resolve().is_relative_to(place):
            raise typer.BadParameter(
                f"{target} would lie among the images of {folder}, and be taken for one of them; name another folder "
                "with -o"
            )
