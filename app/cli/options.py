"""Options that several commands share."""

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

_PLACE = "Where it is computed"

PrecisionName = Literal["auto", "float32", "bfloat16", "int8", "float64"]

WeightsOption = Annotated[
    Path | None,
    typer.Option(
        "--weights",
        rich_help_panel=_PLACE,
        dir_okay=False,
        help="Checkpoint; default: FCN_WEIGHTS, or the one that ships.",
    ),
]
DeviceOption = Annotated[
    str | None,
    typer.Option(
        "--device",
        rich_help_panel=_PLACE,
        help="cpu, cuda, cuda:1, ... or auto; default: FCN_DEVICE, or auto.",
    ),
]
PrecisionOption = Annotated[
    PrecisionName | None,
    typer.Option(
        "--precision", rich_help_panel=_PLACE, help="Data type of the computation; default: FCN_PRECISION, or auto."
    ),
]
UrlOption = Annotated[
    str | None,
    typer.Option(
        "--url", rich_help_panel=_PLACE, help="Use a running service, http://HOST:PORT, instead of computing here."
    ),
]
KeyFileOption = Annotated[
    Path | None,
    typer.Option(
        "--key-file",
        rich_help_panel=_PLACE,
        exists=True,
        dir_okay=False,
        help="File with the service's API key; default: the key in FCN_KEY.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document, for scripts.")]


def set_settings(**options: object) -> None:
    """Let options override the environment: set the variables of those that are given."""
    os.environ.update({f"FCN_{name.upper()}": str(value) for name, value in options.items() if value is not None})


def require_one_place(url: str | None, key_file: Path | None, **local: object) -> None:
    """Check that options for computing in this process and for using a service are not combined.

    Raises:
        typer.BadParameter: they are combined.
    """
    given = [f"--{name}" for name, value in local.items() if value is not None]
    if url is not None and given:
        raise typer.BadParameter(f"{given[0]} is for computing here; the service of --url has its own")
    if url is None and key_file is not None:
        raise typer.BadParameter("--key-file is for the service of --url")
