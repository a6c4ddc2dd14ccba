"""The directory through which several workers share their metrics."""

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from prometheus_client.multiprocess import mark_process_dead

_IN_MEMORY = "/dev/shm"
"""Preferred parent, for metrics change with every request; where it is missing or full, temporary files are as good."""

_NEEDED_BYTES = 16 << 20
"""Free bytes that a parent must have."""


class NoMetricsDirectoryError(Exception):
    """No directory for the metrics can be written."""


class MultiprocessMetricsDirectory:
    """A new directory for the files that prometheus_client writes in each worker.

    Raises:
        NoMetricsDirectoryError: nothing can be written where it could be.
    """

    def __init__(self) -> None:
        self.path = _new_folder()

    def mark_dead(self, process_id: int, *, has_served: bool) -> None:
        """A worker has ended: its counters stay, its gauges go.

        Args:
            process_id: process ID of the worker.
            has_served: whether it has counted anything.
        """
        with suppress(OSError):
            mark_process_dead(process_id, str(self.path))  # type: ignore[no-untyped-call]
            if not has_served:
                for file in self.path.glob(f"*_{process_id}.db"):
                    file.unlink()

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)


def _new_folder() -> Path:
    reasons = []
    for parent in (_IN_MEMORY, None):
        folder = None
        try:
            folder = Path(tempfile.mkdtemp(prefix="fcn-metrics-", dir=parent))
            _require_room(folder)
        except OSError as error:
            reasons.append(f"{parent or 'temporary files'}: {error.strerror}")
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)
        else:
            return folder
    raise NoMetricsDirectoryError(
        f"several workers need a folder to share their metrics, and there is none ({'; '.join(reasons)})"
    )


def _require_room(folder: Path) -> None:
    """Raises OSError if files can't be written; a worker would end without a word when it runs out of room."""
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(_NEEDED_BYTES))
