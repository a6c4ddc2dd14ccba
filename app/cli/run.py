"""Processes images, several at once, and keeps finished results in any case."""

import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import BinaryIO, Self

from app.cli.backend import Backend
from app.cli.errors import FileError, ServiceGoneError
from app.cli.existing import read_existing
from app.cli.outputs import STANDARD_OUTPUT, Task
from app.cli.report import Failure, Report, Success
from app.cli.result import Result
from app.parameters import FormatName
from model.files import replacing

_END_S = 5.0
"""Seconds that running steps get after Ctrl-C; aborted ones leave no file that looks complete."""


class _Stopped(BaseException):
    """Ends the current work without counting as its failure."""


class Run:
    """One pass over the images.

    Args:
        backend: segments the images.
        form: output format; finished results are read.
        report: report to fill.
        advance: called with the number of files, fractions included, done since the last call.
    """

    def __init__(self, backend: Backend, form: FormatName, report: Report, advance: Callable[[float], None]) -> None:
        self._backend = backend
        self._form = form
        self._report = report
        self._report.digest = backend.digest
        self._advance = advance
        self._tasks: SimpleQueue[Task] = SimpleQueue()
        self._ends: SimpleQueue[Exception | None] = SimpleQueue()
        self._stop = threading.Event()

    def run(self, tasks: Sequence[Task], jobs: int) -> None:
        """Do all tasks, ``jobs`` of them at once. Ctrl-C ends the run gracefully, and the report says so."""
        for task in tasks:
            self._tasks.put(task)
        # Daemon threads, so that one that waits for a service does not keep the process alive.
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(min(jobs, len(tasks)))]
        started = time.monotonic()
        try:
            for thread in threads:
                thread.start()
            for _ in threads:
                self._heed(self._ends.get())
        except KeyboardInterrupt:
            self._report.interrupted = True
        finally:
            self._stop.set()
            end = time.monotonic() + _END_S
            for thread in threads:
                thread.join(max(0.0, end - time.monotonic()))
            self._report.close(time.monotonic() - started)

    def _heed(self, error: Exception | None) -> None:
        """Report a lost service; raise any other error that has ended a thread."""
        if isinstance(error, ServiceGoneError):
            self._report.error = self._report.error or str(error)
        elif error is not None:
            raise error

    def _work(self) -> None:
        try:
            while not self._stop.is_set():
                self._do(self._tasks.get_nowait())
        except (Empty, _Stopped):
            self._ends.put(None)
        except Exception as error:
            self._stop.set()
            self._ends.put(error)
        else:
            self._ends.put(None)

    def _do(self, task: Task) -> None:
        started = time.monotonic()
        advanced = 0.0

        def advance(share: float) -> None:
            nonlocal advanced
            if self._stop.is_set():
                raise _Stopped
            advanced += share
            self._advance(share)

        try:
            if task.is_finished:
                result = read_existing(task.target, self._form, self._backend.classes, self._backend.digest)
                self._report.add(Success(task.file, str(task.target), result), is_skipped=True)
            else:
                result = self._segment(task, advance)
                self._report.add(Success(task.file, str(task.target), result, time.monotonic() - started))
        except FileError as error:
            if self._stop.is_set():
                raise _Stopped from error
            self._report.add(Failure(task.file, str(error)))
        self._advance(1 - advanced)

    def _segment(self, task: Task, advance: Callable[[float], None]) -> Result:
        advance(0.0)
        data = task.source.read()
        if task.target == STANDARD_OUTPUT:
            result = self._backend.segment(data, _write_out, advance)
            _flush_out()
            return result
        try:
            task.target.parent.mkdir(parents=True, exist_ok=True)
            with replacing(task.target) as unfinished, _LateFile(unfinished) as file:
                return self._backend.segment(data, file.write, advance)
        except OSError as error:
            raise FileError(f"{task.target} cannot be written: {error.strerror}") from error


class _LateFile:
    """A file that is created at the first write, so that an earlier failure leaves no file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        return self

    def write(self, part: bytes) -> None:
        if self._file is None:
            self._file = self._path.open("wb")
        self._file.write(part)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()


def _write_out(part: bytes) -> None:
    rest = memoryview(part)
    try:
        while rest:  # an unbuffered stream (PYTHONUNBUFFERED) may write only a part
            rest = rest[sys.stdout.buffer.write(rest) :]
    except OSError as error:
        raise FileError(f"standard output cannot be written: {error.strerror}") from error


def _flush_out() -> None:
    try:
        sys.stdout.buffer.flush()
    except OSError as error:
        raise FileError(f"standard output cannot be written: {error.strerror}") from error
