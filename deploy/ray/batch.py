"""Segment a folder of many thousands of images on all machines of a Ray cluster.

    python -m deploy.ray.batch FOLDER --output OUT [--concurrency N] [--format png]

An interrupted run can be continued with the same command: finished files stay. Neither a file that cannot be segmented
nor a process that dies ends the run.
"""

import logging
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import ray
import ray.data
import typer

from app.cli.backend import Request
from app.cli.errors import ExitCode
from app.cli.options import DeviceOption, PrecisionOption, WeightsOption, set_settings
from app.cli.outputs import Task
from app.cli.plan import make_plan
from app.cli.report import Failure, Report, Success
from app.cli.result import Result
from app.parameters import FormatName, MaskName, TilingName
from app.process_settings import read_settings
from app.settings import Settings
from deploy.ray.file_segmenter import FileSegmenter, Row
from deploy.ray.precision import with_one_precision
from deploy.ray.room import room, share
from deploy.ray.whole_files import WholeFiles
from model.checkpoint import Checkpoint
from model.errors import SegmentationError
from model.files import replacing

_FILES_A_BLOCK = 16
"""Files per block of Ray Data: few, so that little work is lost when a process dies."""


class Batch:
    """One pass over files.

    Args:
        settings: weights, device, precision and limits.
        request: format and options of the masks.
        output: root folder of all masks.
        concurrency: number of actors, each with a network.
        report: report that collects the results.
    """

    def __init__(self, settings: Settings, request: Request, output: Path, concurrency: int, report: Report) -> None:
        self._settings = settings
        self._request = request
        self._output = output
        self._concurrency = concurrency
        self._report = report

    def run(self, tasks: list[Task]) -> None:
        """Segment the files of all tasks, and report each."""
        files = {task.file: task for task in tasks}
        for row in self._rows(tasks):
            self._add(files[row["file"]], row)

    def _rows(self, tasks: list[Task]) -> Iterator[Row]:
        items = [{"file": task.file, "target": str(task.target)} for task in tasks]
        blocks = math.ceil(len(items) / _FILES_A_BLOCK)
        each = share(self._settings)
        # By default Ray Data restarts an actor that dies, and gives it its blocks again.
        done = ray.data.from_items(items, override_num_blocks=blocks).map_batches(
            FileSegmenter,
            fn_constructor_args=(self._settings, self._request, self._output),
            batch_size=None,
            compute=ray.data.ActorPoolStrategy(size=min(self._concurrency, blocks)),
            num_cpus=each.cpus,
            num_gpus=each.gpus,
        )
        yield from done.iter_rows()

    def _add(self, task: Task, row: Row) -> None:
        if row["reason"]:
            self._report.add(Failure(task.file, row["reason"]))
        else:
            result = Result(row["height"], row["width"], None)
            self._report.add(Success(task.file, str(task.target), result, row["seconds"]))


def batch(
    folder: Annotated[
        Path, typer.Argument(exists=True, file_okay=False, help="Folder of images, searched recursively.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", file_okay=False, help="Folder for the masks, shared by all machines.")
    ],
    concurrency: Annotated[
        int | None, typer.Option(min=1, show_default="all that fit", help="Number of networks that run at once.")
    ] = None,
    form: Annotated[FormatName, typer.Option("--format", help="Output format.")] = "png",
    mask: Annotated[MaskName, typer.Option(help="How JSON carries the mask.")] = "rows",
    tiling: Annotated[TilingName, typer.Option(help="How large images are split.")] = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace masks that exist already.")] = False,
    report_file: Annotated[
        Path | None, typer.Option("--report", dir_okay=False, help="JSON file for results and failures.")
    ] = None,
    address: Annotated[
        str, typer.Option(help="Address of a Ray cluster; `local` starts one that ends with the run.")
    ] = "local",
    weights: WeightsOption = None,
    device: DeviceOption = None,
    precision: PrecisionOption = None,
) -> None:
    """Segment a folder on a Ray cluster. FCN_THREADS is the number of CPUs of each network, by default 1."""
    set_settings(weights=weights, device=device, precision=precision)
    settings = read_settings(Settings)
    settings = settings.model_copy(update={"threads": settings.threads or 1})
    folder, output = folder.absolute(), output.absolute()
    plan = make_plan([folder], output, form, is_recursive=True)
    if not overwrite:
        plan = plan.looked_up()
    tasks = plan.tasks
    report = Report(plan.names, plan.failures)
    report.digest = _digest(settings.weights)
    for task in tasks:
        if task.is_finished:
            report.add(Success(task.file, str(task.target), None), is_skipped=True)
    left = [task for task in tasks if not task.is_finished]
    files = WholeFiles(output)
    files.clean()
    started = time.monotonic()
    if left:
        _connect(address)
        most = _room(settings)
        request = Request(form, mask, tiling, alpha=0.5, wants_classes=False)
        try:
            Batch(_with_one_precision(settings), request, output, concurrency or most, report).run(left)
        except KeyboardInterrupt:
            report.interrupted = True
        finally:
            ray.shutdown()
            files.clean()
    report.close(time.monotonic() - started)
    _tell(report, report_file)
    raise typer.Exit(report.exit_code)


def _digest(weights: Path) -> str:
    """Digest of the weights; unreadable weights fail here once rather than in every actor."""
    try:
        return Checkpoint.load(weights).digest
    except SegmentationError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(ExitCode.CANNOT_START) from error


def _with_one_precision(settings: Settings) -> Settings:
    try:
        return with_one_precision(settings)
    except SegmentationError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(ExitCode.CANNOT_START) from error


def _room(settings: Settings) -> int:
    """Number of networks that fit on the cluster; exits if none does, since Ray would wait for room forever."""
    nodes: Any = ray.nodes
    each = share(settings)
    if most := room([node["Resources"] for node in nodes() if node["Alive"]], each):
        return most
    typer.echo(f"error: no machine of the cluster has {each.cpus} CPUs and {each.gpus} GPUs for a network", err=True)
    raise typer.Exit(ExitCode.CANNOT_START)


def _connect(address: str) -> None:
    ray.init(
        address,
        log_to_driver=False,
        logging_level=logging.WARNING,
        include_dashboard=False if address == "local" else None,
    )
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)


def _tell(report: Report, report_file: Path | None) -> None:
    for line in report.failure_lines():
        typer.echo(line, err=True)
    typer.echo(report.summary(), err=True)
    if report_file is not None:
        with replacing(report_file) as unfinished:
            unfinished.write_text(report.document() + "\n")


if __name__ == "__main__":
    typer.run(batch)
