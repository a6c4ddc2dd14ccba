"""``fcn-segment image``."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from app.cli.backend import Backend, Request
from app.cli.options import (
    DeviceOption,
    JsonOption,
    KeyFileOption,
    PrecisionOption,
    UrlOption,
    WeightsOption,
    require_one_place,
    set_settings,
)
from app.cli.outputs import STANDARD_OUTPUT, Task
from app.cli.plan import make_plan
from app.cli.progress import progress_bar
from app.cli.report import Failure, Report, Success
from app.cli.run import Run
from app.cli.table import require_table, write_table
from app.parameters import FormatName, MaskName, TilingName

_JOBS_HERE, _JOBS_OF_SERVICE = 2, 4


def image(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE_OR_FOLDER", allow_dash=True, help="Images and folders of images; - is standard input."
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            allow_dash=True,
            help="Folder for the results; for a single image also a file, or - for standard output.",
        ),
    ],
    form: Annotated[
        FormatName,
        typer.Option(
            "--format",
            help="png: palette PNG of class indices. json: a JSON document. overlay: the colours over the image. "
            "confidence: grey PNG, 255 times the winning class's probability.",
        ),
    ] = "png",
    mask: Annotated[MaskName, typer.Option(help="How JSON represents the mask.")] = "rows",
    tiling: Annotated[TilingName, typer.Option(help="How images are cut.")] = "auto",
    alpha: Annotated[float, typer.Option(min=0, max=1, help="Opacity of the colours in an overlay.")] = 0.5,
    recursive: Annotated[bool, typer.Option("--recursive/--no-recursive", help="Whether to search subfolders.")] = True,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing results.")] = False,
    table: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False,
            help="Write a table of the classes' shares of each image, .csv or .parquet. Skipped files are included: "
            "their shares are read from the existing results. Overlays and confidences do not contain shares, and are "
            "made again.",
        ),
    ] = None,
    as_json: JsonOption = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print failures only.")] = False,
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=256,
            show_default=f"{_JOBS_HERE}; {_JOBS_OF_SERVICE} with --url",
            help="Images in progress at once: one is computed while others are read and written; with --url, requests.",
        ),
    ] = None,
    weights: WeightsOption = None,
    device: DeviceOption = None,
    precision: PrecisionOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
) -> None:
    """Segment images: single files or whole folders.

    Results keep the folder structure: with photos/ as the argument, the result
    of photos/a/b.jpg is DIR/a/b.png, or b.json, b.overlay.png, b.confidence.png.
    Images that differ only in their suffix keep it, as in b.jpg.png.

    A result appears only when it is complete. An image whose result exists and is
    not older is skipped: after an interruption, the same command continues.
    A file that cannot be segmented does not stop the others.

    Limits come from the environment, like the service's: FCN_MAX_PIXELS, ...
    """
    require_one_place(url, key_file, weights=weights, device=device, precision=precision)
    if table is not None:
        require_table(table)
    if output == STANDARD_OUTPUT and as_json:
        raise typer.BadParameter("standard output is either for the result, -o -, or for --json")
    set_settings(weights=weights, device=device, precision=precision)
    request = Request(form, mask, tiling, alpha, wants_classes=as_json or table is not None)
    plan = make_plan(paths, output, form, is_recursive=recursive)
    if not overwrite and not plan.is_one_answer:
        plan = plan.looked_up()
    tasks = plan.tasks
    if table is not None and not request.tells_classes:
        # Overlays and confidences do not contain what a table needs.
        tasks = [replace(task, is_finished=False) for task in tasks]
    report = Report(plan.names, plan.failures, plan.left_out)
    if table is None:
        tasks = _without_finished(tasks, report)
    if tasks:
        jobs = min(jobs or (_JOBS_HERE if url is None else _JOBS_OF_SERVICE), len(tasks))
        with (
            _backend(url, key_file, request, jobs) as backend,
            progress_bar(len(tasks), is_wanted=not quiet) as advance,
        ):
            Run(backend, form, report, advance).run(tasks, jobs)
    if table is not None and not report.interrupted and report.error is None:
        _write_table(table, report)
    _tell(report, as_json=as_json, quiet=quiet)
    raise typer.Exit(report.exit_code)


def _without_finished(tasks: list[Task], report: Report) -> list[Task]:
    """The tasks that are left. Existing results are reported, but not read."""
    for task in tasks:
        if task.is_finished:
            report.add(Success(task.file, str(task.target), None), is_skipped=True)
    return [task for task in tasks if not task.is_finished]


def _backend(url: str | None, key_file: Path | None, request: Request, jobs: int) -> Backend:
    """Make the backend; its libraries are imported only if they are needed."""
    if url is not None:
        from app.cli.remote_backend import RemoteBackend  # noqa: PLC0415

        return RemoteBackend(url, key_file, request)
    from app.cli.local_backend import LocalBackend  # noqa: PLC0415
    from app.process_settings import read_settings  # noqa: PLC0415
    from app.settings import Settings  # noqa: PLC0415

    return LocalBackend(read_settings(Settings), request, jobs)


def _write_table(path: Path, report: Report) -> None:
    try:
        write_table(path, report.successes)
    except OSError as error:
        report.add(Failure(str(path), f"the table cannot be written: {error.strerror}"))


def _tell(report: Report, *, as_json: bool, quiet: bool) -> None:
    for line in report.failure_lines():
        typer.echo(line, err=True)
    if not quiet:
        typer.echo(report.summary(), err=True)
    if as_json:
        typer.echo(report.document())
