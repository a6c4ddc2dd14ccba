"""The folder through which several workers share their measures."""

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from prometheus_client.multiprocess import mark_process_dead

_IN_MEMORY = "/dev/shm"
"""Preferred, for measures change with every request; where it is missing or full, temporary files are as good."""

_NEEDED_BYTES = 16 << 20


class NoFolderError(Exception):
    """There is no place for the folder."""


class MeasuresFolder:
    """A new folder for the files that prometheus_client writes in each worker.

    Raises:
        NoFolderError: nothing can be written where it could be.
    """

    def __init__(self) -> None:
        self.path = _new_folder()

    def forget(self, process_id: int, *, has_served: bool) -> None:
        """A worker has ended: what it has counted stays counted, and what it held is held no more.

        Args:
            process_id: of the worker.
            has_served: whether it has anything to count.
        """
        with suppress(OSError):
            mark_process_dead(process_id, str(self.path))  # type: ignore[no-untyped-call]
            if not has_served:
                for file in self.path.glob(f"*_{process_id}.db"):
                    file.unlink()

    def remove(self) -> None:
        """At the end."""
        shutil.rmtree(self.path, ignore_errors=True)


def _new_folder() -> Path:
    reasons = []
    for place in (_IN_MEMORY, None):
        folder = None
        try:
            folder = Path(tempfile.mkdtemp(prefix="fcn-measures-", dir=place))
            _require_room(folder)
        except OSError as error:
            reasons.append(f"{place or 'temporary files'}: {error.strerror}")
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)
        else:
            return folder
    raise NoFolderError(
        f"several workers need a folder to share their measures, and there is none ({'; '.join(reasons)})"
    )


def _require_room(folder: Path) -> None:
    """Raises OSError if files can't be written; a worker would end without a word when it runs out of room."""
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(_NEEDED_BYTES))
