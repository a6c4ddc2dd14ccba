"""Writes a table of the classes found in each image, CSV or Parquet, with one row per class and image."""

import csv
import importlib.util
from collections.abc import Iterable, Iterator
from pathlib import Path

import typer

from app.cli.errors import CannotStartError
from app.cli.report import Success
from model.files import replacing

COLUMNS = ("file", "width", "height", "class_index", "class_name", "pixels", "fraction")

Row = tuple[str, int, int, int, str, int, float]


def require_table(path: Path) -> None:
    """Check before the run that the table can be written after it.

    Raises:
        typer.BadParameter: its name ends in neither ``.csv`` nor ``.parquet``.
        CannotStartError: the library for Parquet is not installed.
    """
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise typer.BadParameter(f"{path} must end in .csv or .parquet", param_hint="--table")
    if path.suffix.lower() == ".parquet" and importlib.util.find_spec("pyarrow") is None:
        raise CannotStartError(
            "tables in Parquet need pyarrow, which is not installed: pip install 'fcn-segmentation[table]', or take "
            f"{path.with_suffix('.csv')}"
        )


def write_table(path: Path, successes: Iterable[Success]) -> None:
    """Write the table atomically.

    Raises:
        OSError: the table cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = _rows(successes)
    with replacing(path) as unfinished:
        if path.suffix.lower() == ".csv":
            _write_csv(unfinished, rows)
        else:
            _write_parquet(unfinished, rows)


def _rows(successes: Iterable[Success]) -> Iterator[Row]:
    for success in successes:
        result = success.result
        assert result is not None
        assert result.classes is not None
        for share in result.classes:
            yield (
                success.file,
                result.width,
                result.height,
                share.index,
                share.name,
                share.pixels,
                share.fraction,
            )


def _write_csv(path: Path, rows: Iterable[Row]) -> None:
    # File names are bytes in any encoding.
    with path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)


def _write_parquet(path: Path, rows: Iterable[Row]) -> None:
    import pyarrow  # noqa: PLC0415 (an extra)
    import pyarrow.parquet  # noqa: PLC0415

    text, count = pyarrow.string(), pyarrow.int64()
    types = (text, pyarrow.int32(), pyarrow.int32(), pyarrow.int32(), text, count, pyarrow.float64())
    schema = pyarrow.schema(list(zip(COLUMNS, types, strict=True)))
    records = [dict(zip(COLUMNS, (_text(file), *rest), strict=True)) for file, *rest in rows]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(records, schema), path)


def _text(name: str) -> str:
    """Make a file name valid UTF-8, as Parquet requires."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
