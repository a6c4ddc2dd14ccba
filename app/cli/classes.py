"""``fcn-segment classes``."""

import json
from pathlib import Path
from typing import Any

import typer

from app.cli.options import (
    JsonOption,
    KeyFileOption,
    UrlOption,
    WeightsOption,
    require_one_place,
    set_settings,
)


def classes(
    weights: WeightsOption = None, url: UrlOption = None, key_file: KeyFileOption = None, as_json: JsonOption = False
) -> None:
    """List the classes: their values in masks, names and colours. Void, 255, occurs in labels only."""
    require_one_place(url, key_file, weights=weights)
    set_settings(weights=weights)
    document = _document(url, key_file)
    if as_json:
        typer.echo(json.dumps(document, indent=2))
    else:
        _show(document["classes"])


def _document(url: str | None, key_file: Path | None) -> dict[str, Any]:
    if url is not None:
        from app.cli.remote_model import remote_classes  # noqa: PLC0415 (without PyTorch)

        return remote_classes(url, key_file)
    from app.cli.local_model import local_classes  # noqa: PLC0415
    from app.process_settings import read_settings  # noqa: PLC0415
    from app.settings import Settings  # noqa: PLC0415

    return local_classes(read_settings(Settings))


def _show(classes: list[dict[str, Any]]) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False)
    table.add_column("index", justify="right")
    table.add_column("name")
    table.add_column("colour")
    for one in classes:
        code = "#{:02x}{:02x}{:02x}".format(*one["color"])
        table.add_row(str(one["index"]), Text(one["name"]), Text.assemble(("  ", f"on {code}"), f" {code}"))
    Console().print(table)
