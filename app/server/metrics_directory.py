"""The directory through which several workers share their metrics."""

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from prometheus_client.multiprocess import mark_process_dead

_IN_MEMORY = "/dev/shm"
"""Preferred parent directory, since metrics change with every request; the fallback is the temporary directory."""

_NEEDED_BYTES = 16 << 20
"""Free bytes that the parent directory must have."""


class NoMetricsDirectoryError(Exception):
    """No directory for the metrics is writable."""


class MultiprocessMetricsDirectory:
    """A new directory for the files that prometheus_client writes in each worker.

    Raises:
        NoMetricsDirectoryError: none of the possible parent directories is writable.
    """

    def __init__(self) -> None:
        self.path = _new_folder()

    def mark_dead(self, process_id: int, *, has_served: bool) -> None:
        """Keep the counters of a worker that has ended, and remove its gauges.

        Args:
            process_id: process ID of the worker.
            has_served: whether the worker became ready; if not, its counters are removed, too.
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
    """Raise OSError if there is too little space; a worker that runs out of space would end without a message."""
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(_NEEDED_BYTES))
