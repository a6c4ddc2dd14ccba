"""Progress bars, on standard error because standard output is for results."""

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

# Plain lines in notebooks too: rich's notebook bar needs another package, and becomes part of the cell's output.
_CONSOLE = Console(stderr=True, force_jupyter=False)


def track(items: Iterable[T], description: str, total: int) -> Iterator[T]:
    """Yield the items, with a bar that shows how many of ``total`` have been processed."""
    with bar(MofNCompleteColumn()) as progress:
        yield from progress.track(items, total, description=description)


def byte_bar() -> Progress:
    """Make a bar that counts bytes."""
    return bar(DownloadColumn(), TransferSpeedColumn())


def bar(*columns: ProgressColumn, is_shown: bool = True) -> Progress:
    """Make a progress bar with the task's description, the given columns and the remaining time."""
    description = TextColumn("{task.description}", markup=False)
    remaining = TimeRemainingColumn(elapsed_when_finished=True)
    # Standard output may be a file, so rich must not redirect prints into the bar.
    return Progress(
        description, BarColumn(), *columns, remaining, console=_CONSOLE, redirect_stdout=False, disable=not is_shown
    )


def tell(progress: Progress, line: str) -> None:
    """Print a line if the output is no terminal and so has no moving bar: a file, or a container's log."""
    if not progress.disable and not progress.console.is_terminal:
        print(line, file=sys.stderr, flush=True)
