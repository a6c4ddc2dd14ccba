"""An actor of the batch job, which segments image files."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from app.cli.backend import Request
from app.cli.errors import FileError
from app.cli.inputs import Source
from app.cli.local_backend import LocalBackend
from app.settings import Settings
from deploy.ray.tries import Tries
from deploy.ray.whole_files import UNFINISHED, WholeFiles

_AT_ONCE = 2
"""Files in progress at once: one is predicted while another is read, decoded or written."""

_TRIES = 3
"""Number of deaths of its process after which a file is given up; Ray itself would retry forever."""

Row = dict[str, Any]
"""Row of Ray Data: ``file`` and ``target`` of a task, or a result as ``FileSegmenter`` returns it."""


class FileSegmenter:
    """Holds the network, and decoder processes that damaged files may crash.

    Args:
        settings: weights, device, precision and limits.
        request: format and options of the masks.
        output: root folder of all masks.
    """

    def __init__(self, settings: Settings, request: Request, output: Path) -> None:
        self._backend = LocalBackend(settings, request, _AT_ONCE)
        self._files = WholeFiles(output)
        self._tries = Tries(output / UNFINISHED / "tries")
        self._threads = ThreadPoolExecutor(_AT_ONCE)

    def __call__(self, rows: dict[str, Any]) -> dict[str, list[Any]]:
        """Segment some files; return ``file``, ``height``, ``width``, ``seconds`` and ``reason`` of each.

        ``reason`` says why a file failed, and is empty if it did not.
        """
        tasks = [(str(file), str(target)) for file, target in zip(rows["file"], rows["target"], strict=True)]
        suspects = [task for task in tasks if self._tries.count(task[0])]
        told = list(self._threads.map(self._do, [task for task in tasks if task not in suspects]))
        told += map(self._do, suspects)  # one at a time, so that no other file fails with them again
        return {name: [row[name] for row in told] for name in ("file", "height", "width", "seconds", "reason")}

    def _do(self, task: tuple[str, str]) -> Row:
        file, target = task
        started = time.monotonic()
        row: Row = {"file": file, "height": 0, "width": 0, "reason": ""}
        try:
            self._require_hope(file)
            with self._tries.one(file):
                row["height"], row["width"] = self._segment(Source(Path(file)).read(), Path(target))
        except FileError as error:
            row["reason"] = str(error)
        except OSError as error:
            row["reason"] = f"{target} cannot be written: {error.strerror}"
        except Exception as error:  # one file must not end the others
            row["reason"] = f"unexpected error: {error!r}"
        return row | {"seconds": time.monotonic() - started}

    def _require_hope(self, file: str) -> None:
        if (tries := self._tries.count(file)) >= _TRIES:
            raise FileError(f"the process that works on it has died {tries} times: does it have enough memory?")

    def _segment(self, data: bytes, target: Path) -> tuple[int, int]:
        with self._files.replacing(target) as unfinished, unfinished.open("wb") as file:
            result = self._backend.segment(data, file.write, lambda _: None)
        return result.height, result.width
