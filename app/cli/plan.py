"""What is to be done."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from app.cli.engine import FormatName
from app.cli.report import Failure
from app.cli.sources import Search, Source, search
from app.cli.targets import STANDARD_OUTPUT, Task, assign_targets, is_file_name, is_searched


@dataclass(frozen=True, slots=True)
class Plan:
    """The images and where their answers go.

    Attributes:
        tasks: in the order in which they were named, folders by name.
        failures: folders that cannot be read.
        is_one_answer: whether the place of the one answer was named, and not a folder.
    """

    tasks: list[Task]
    failures: list[Failure]
    is_one_answer: bool


def make_plan(paths: Sequence[Path], output: Path, form: FormatName, *, is_recursive: bool) -> Plan:
    """Find the images, and a place for each answer.

    Args:
        paths: of files and folders; ``-`` is standard input.
        output: a folder, a file, or ``-`` for standard output.
        form: of the answers.
        is_recursive: whether folders in folders are searched.

    Raises:
        typer.BadParameter: the output does not fit the images.
    """
    if output == STANDARD_OUTPUT and (len(paths) != 1 or paths[0].is_dir()):
        raise typer.BadParameter("standard output, -o -, takes the answer of one image")
    found = search(paths, None if output == STANDARD_OUTPUT else output, is_recursive=is_recursive)
    is_one_answer = output == STANDARD_OUTPUT or is_file_name(output, paths, form)
    tasks = [Task(found.sources[0], output)] if is_one_answer else assign_targets(found, output, form)
    for task in tasks:
        _require_other(task.target, task.source)
        if not is_one_answer:
            _require_apart(task.target, found, output)
    return Plan(tasks, found.failures, is_one_answer)


def _require_other(target: Path, source: Source) -> None:
    if target != STANDARD_OUTPUT and target.exists() and source.path.exists() and target.samefile(source.path):
        raise typer.BadParameter(f"the answer would take the place of the image {source.path}; name another with -o")


def _require_apart(target: Path, found: Search, output: Path) -> None:
    for folder in found.folders:
        if is_searched(target, folder, output):
            raise typer.BadParameter(
                f"{target} would lie among the images of {folder}, and be taken for one of them; name another folder "
                "with -o"
            )
