"""A progress bar on standard error, if that is a terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress_bar(total: int, *, is_wanted: bool) -> Iterator[Callable[[float], None]]:
    """Show a progress bar. Yields a function that advances it by a number of files, fractions included; any thread may
    call it.

    Args:
        total: number of files.
        is_wanted: whether to show the bar if standard error is a terminal.
    """
    if not is_wanted or not sys.stderr.isatty():
        yield lambda _: None
        return
    # Imported here, since nothing else needs it.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (TextColumn("{task.fields[count]}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total, count=f"{total} images" if total != 1 else "1 image")
        yield lambda share: bar.advance(task, share)
