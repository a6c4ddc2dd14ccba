"""Progress bars, on standard error: standard output is for results."""

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

T = TypeVar("T")

# In a notebook lines, too: rich's bar there needs a package more, and is part of what the cell shows.
_CONSOLE = Console(stderr=True, force_jupyter=False)


def track(items: Iterable[T], description: str, total: int) -> Iterator[T]:
    """The items, with a bar that tells how many of ``total`` have been taken."""
    with bar(MofNCompleteColumn()) as progress:
        yield from progress.track(items, total, description=description)


def byte_bar() -> Progress:
    """A bar for what is counted in bytes."""
    return bar(DownloadColumn(), TransferSpeedColumn())


def bar(*columns: ProgressColumn, is_shown: bool = True) -> Progress:
    """A bar between its task's description and columns of its own."""
    description = TextColumn("{task.description}", markup=False)
    remaining = TimeRemainingColumn(elapsed_when_finished=True)
    # Standard output may be a file: what is printed there must not become part of the bar.
    return Progress(
        description, BarColumn(), *columns, remaining, console=_CONSOLE, redirect_stdout=False, disable=not is_shown
    )


def tell(progress: Progress, line: str) -> None:
    """Print a line where no bar moves: in a file, or a container's log."""
    if not progress.disable and not progress.console.is_terminal:
        print(line, file=sys.stderr, flush=True)
