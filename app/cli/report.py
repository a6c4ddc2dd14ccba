"""The report of a run, for people and for scripts."""

import json
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from app.cli.errors import ExitCode
from app.cli.result import Result

_NAMED = 3
"""Maximum number of ignored files that the summary names."""


@dataclass(frozen=True, slots=True)
class Success:
    """A file that has a result.

    Attributes:
        file: name of the file as given.
        output: name of the result's file.
        result: the size and classes in it; None if the file was skipped and its result not read.
        seconds: processing time; 0 if the file was skipped.
    """

    file: str
    output: str
    result: Result | None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Failure:
    """A file without a result, and the reason."""

    file: str
    reason: str


class Report:
    """The report of a run. Thread-safe while files are in progress.

    Args:
        files: names of the files as given, in order.
        failures: failures known before the run.
        left_out: files that are ignored because their names are not those of images.

    Attributes:
        digest: SHA-256 of the weights; None if there was nothing to do.
        done: files done in this run.
        skipped: files skipped in this run, because they were done before.
        failures: failed files, with their reasons.
        seconds: duration of the run.
        interrupted: whether the user interrupted the run.
        error: why the run ended early; None if it did not.
    """

    def __init__(self, files: Sequence[str], failures: Sequence[Failure] = (), left_out: Sequence[str] = ()) -> None:
        self.total = len(files)
        self.digest: str | None = None
        self.done: list[Success] = []
        self.skipped: list[Success] = []
        self.failures = list(failures)
        self.left_out = list(left_out)
        self.seconds = 0.0
        self.interrupted = False
        self.error: str | None = None
        self._lock = threading.Lock()
        self._order = {file: place for place, file in enumerate(files)}

    def add(self, result: Success | Failure, *, is_skipped: bool = False) -> None:
        """Add the outcome of a file."""
        with self._lock:
            if isinstance(result, Failure):
                self.failures.append(result)
            else:
                (self.skipped if is_skipped else self.done).append(result)

    def close(self, seconds: float) -> None:
        """End the run: set its duration and sort the outcomes."""
        self.seconds = seconds
        for results in (self.done, self.skipped, self.failures):
            results.sort(key=self._place)

    @property
    def successes(self) -> list[Success]:
        """Successes of this run and of earlier ones, in the files' order."""
        return sorted([*self.done, *self.skipped], key=self._place)

    @property
    def remaining(self) -> int:
        """Number of files that were not attempted."""
        tried = {result.file for results in (self.done, self.skipped, self.failures) for result in results}
        return self.total - len(tried & self._order.keys())

    @property
    def exit_code(self) -> ExitCode:
        if self.interrupted:
            return ExitCode.INTERRUPTED
        if self.error is not None:
            return ExitCode.CANNOT_START
        return ExitCode.SOME_FAILED if self.failures else ExitCode.DONE

    def _place(self, result: Success | Failure) -> int:
        return self._order.get(result.file, -1)

    def document(self) -> str:
        """The report as JSON, for scripts."""
        told: dict[str, Any] = {
            "done": [_told(success) for success in self.done],
            "skipped": [{"file": success.file, "output": success.output} for success in self.skipped],
            "failed": [asdict(failure) for failure in self.failures],
            "left_out": self.left_out,
            "remaining": self.remaining,
            "interrupted": self.interrupted,
            "error": self.error,
            "checkpoint": self.digest,
            "seconds": round(self.seconds, 3),
        }
        return json.dumps(told, indent=2)

    def failure_lines(self) -> list[str]:
        """One line per failed file, with the reason, for people."""
        return [printable(f"failed: {failure.file}: {failure.reason}") for failure in self.failures]

    def summary(self) -> str:
        """A summary of a few lines, for people."""
        counts = f"{len(self.done)} done, {len(self.skipped)} skipped, {len(self.failures)} failed"
        lines = [f"{counts} in {self.seconds:.1f} s"] if self.total or self.failures else ["there are no images"]
        if len(self.done) == 1 and self.total == 1:
            lines.insert(0, _sentence(self.done[0]))
        if self.skipped:
            lines.append("skipped images already had a result; --overwrite replaces it")
        if self.left_out:
            named = ", ".join(self.left_out[:_NAMED]) + (", ..." if len(self.left_out) > _NAMED else "")
            lines.append(f"ignored, since their names are not those of images: {len(self.left_out)} ({named})")
        if self.interrupted or self.error is not None:
            reason = "interrupted" if self.error is None else self.error
            lines.append(f"{reason}: {self.remaining} of {self.total} are left; the same command continues with them")
        return printable("\n".join(lines))


def printable(text: str) -> str:
    """Escape control characters: file names may contain some that would move a terminal's cursor."""
    return "".join(letter if letter.isprintable() or letter == "\n" else ascii(letter)[1:-1] for letter in text)


def _told(success: Success) -> dict[str, Any]:
    result = success.result
    assert result is not None
    shares = None if result.classes is None else [asdict(share) for share in result.classes]
    return {
        "file": success.file,
        "output": success.output,
        "width": result.width,
        "height": result.height,
        "classes": shares,
        "seconds": round(success.seconds, 3),
    }


def _sentence(success: Success) -> str:
    result = success.result
    assert result is not None
    shares = sorted(result.classes or (), key=lambda share: -share.pixels)
    found = "".join(f", {share.name} {share.fraction:.1%}" for share in shares)
    return f"{success.file} -> {success.output}: {result.width} x {result.height} pixels{found}"
