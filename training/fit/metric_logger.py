"""Logging of a run's metrics: ``log.jsonl``, curves, and TensorBoard event files."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from training.fit.curves import draw_curves

LOG_NAME = "log.jsonl"


class MetricLogger:
    """Writes one record per call; used as a context manager.

    Args:
        folder: folder for ``log.jsonl``, ``curves.png`` and ``tensorboard/``.
        step: the run's number of steps so far; later records of an interrupted run are dropped.
        tensorboard: whether to write TensorBoard event files.
        writes: whether to write at all; False for all processes but the main one.
    """

    def __init__(self, folder: Path, step: int, *, tensorboard: bool, writes: bool = True) -> None:
        self._picture = folder / "curves.png"
        self._writes = writes
        self._board = None
        if not writes:
            return
        file = folder / LOG_NAME
        self._records = [record for record in read_log(file) if record["step"] <= step]
        file.write_text("".join(json.dumps(record) + "\n" for record in self._records))
        self._log = file.open("a")
        self._board = _summary_writer(folder / "tensorboard", step) if tensorboard else None

    def __enter__(self) -> "MetricLogger":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writes:
            self._log.close()
        if self._board is not None:
            self._board.close()

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Log the metrics of a step."""
        if not self._writes:
            return
        record = {"step": step, **values}
        self._records.append(record)
        print(json.dumps(record), file=self._log, flush=True)
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(name, value, step)

    def draw(self) -> None:
        """Write ``curves.png``."""
        draw_curves(self._records, self._picture)


def read_log(file: Path) -> list[dict[str, Any]]:
    """Read the records of a log; empty if there is no log. A truncated last line, left by a kill, is ignored."""
    if not file.is_file():
        return []
    records = []
    for line in file.read_text().splitlines():
        try:
            records.append(json.loads(line))
        except ValueError:
            break
    return records


def _summary_writer(folder: Path, step: int) -> Any:
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 (slow to import)

    return SummaryWriter(str(folder), purge_step=step + 1)
