"""The service that ``--url`` names."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from app.cli.errors import CannotStartError
from app.client import Client, ClientError, ServiceConnectionError, ServiceError


def connect(url: str, key_file: Path | None, retries: int = 5) -> Client:
    """A client, with the key of a file, or of the environment.

    Args:
        url: of the service.
        key_file: with the key and no more.
        retries: tries of each request after the first.

    Raises:
        CannotStartError: the key cannot be read.
        typer.BadParameter: the address is none.
    """
    try:
        key = os.environ.get("FCN_KEY") if key_file is None else key_file.read_text().strip()
    except (OSError, ValueError) as error:
        raise CannotStartError(f"the key file {key_file} cannot be read: {error}") from error
    try:
        return Client(url, key=key or None, retries=retries)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


@contextmanager
def asking() -> Iterator[None]:
    """What stands between us and the service's first answer is why the command cannot start.

    Raises:
        CannotStartError: the service does not answer, or refuses to.
    """
    try:
        yield
    except ServiceConnectionError as error:
        raise CannotStartError(f"there is no service: {error}") from error
    except ServiceError as error:
        raise CannotStartError(f"the service refuses: {error.detail or error.title}") from error
    except (ClientError, KeyError) as error:
        raise CannotStartError(f"what answers is no such service: {error}") from error
