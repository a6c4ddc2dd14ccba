"""``fcn-segment``."""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from app import __version__
from app.cli.classes import classes
from app.cli.errors import EXIT_CODES, CannotStartError, ExitCode
from app.cli.image import image
from app.cli.info import info
from app.cli.serve import serve
from app.server.streams import standard_streams
from app.spinning import limit_spinning


class _Group(TyperGroup):
    """Exits with code 3 and an error message if a command cannot start."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except CannotStartError as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(ExitCode.CANNOT_START) from error


cli = typer.Typer(cls=_Group, no_args_is_help=True, pretty_exceptions_enable=False, epilog=EXIT_CODES)


def _tell_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(__version__)
        raise typer.Exit


@cli.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Semantic segmentation: predict the class of every pixel of your images, in this process or with a service."""


for _command in (serve, image, classes, info):
    cli.command(epilog=EXIT_CODES)(_command)


def main() -> None:
    """Run the command given by the process's arguments."""
    limit_spinning()
    with standard_streams():
        cli()
