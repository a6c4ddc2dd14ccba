"""An actor of the batch job: turns image files into answers."""

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
"""Files: one is computed while another is read, decoded and written."""

_TRIES = 3
"""Deaths of its process after which a file is given up; Ray itself would never do so."""

Row = dict[str, Any]
"""As Ray Data has it: ``file`` and ``target`` of what is to be done; of what was, see ``FileSegmenter``."""


class FileSegmenter:
    """Holds the network, and decoders that damaged files may crash.

    Args:
        settings: weights, device, precision and limits.
        request: what is wanted of every image.
        output: folder of all answers.
    """

    def __init__(self, settings: Settings, request: Request, output: Path) -> None:
        self._backend = LocalBackend(settings, request, _AT_ONCE)
        self._files = WholeFiles(output)
        self._tries = Tries(output / UNFINISHED / "tries")
        self._threads = ThreadPoolExecutor(_AT_ONCE)

    def __call__(self, rows: dict[str, Any]) -> dict[str, list[Any]]:
        """Do some files, and tell of each: ``file``, ``height``, ``width``, ``seconds``, and ``reason`` why it is not
        done, which is empty if it is.
        """
        tasks = [(str(file), str(target)) for file, target in zip(rows["file"], rows["target"], strict=True)]
        suspects = [task for task in tasks if self._tries.count(task[0])]
        told = list(self._threads.map(self._do, [task for task in tasks if task not in suspects]))
        told += map(self._do, suspects)  # alone: what was in work beside them does not suffer for them again
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
        except Exception as error:  # one file never ends the others
            row["reason"] = f"a fault of the program: {error!r}"
        return row | {"seconds": time.monotonic() - started}

    def _require_hope(self, file: str) -> None:
        if (tries := self._tries.count(file)) >= _TRIES:
            raise FileError(f"the process that works on it has died {tries} times: has it enough memory?")

    def _segment(self, data: bytes, target: Path) -> tuple[int, int]:
        with self._files.replacing(target) as unfinished, unfinished.open("wb") as file:
            result = self._backend.segment(data, file.write, lambda _: None)
        return result.height, result.width
