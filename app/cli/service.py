"""Connects to the service given by ``--url``."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from app.cli.errors import CannotStartError
from app.client import Client, ClientError, ServiceConnectionError, ServiceError


def connect(url: str, key_file: Path | None, retries: int = 5) -> Client:
    """Make a client, with the key from a file or from the environment.

    Args:
        url: URL of the service.
        key_file: file that contains only the key; None to use ``FCN_KEY``.
        retries: maximum number of retries per request.

    Raises:
        CannotStartError: the key cannot be read.
        typer.BadParameter: the address is invalid.
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
    """Convert the errors of the first requests to the reason why the command cannot start.

    Raises:
        CannotStartError: the service does not respond, or refuses the request.
    """
    try:
        yield
    except ServiceConnectionError as error:
        raise CannotStartError(f"the service does not respond: {error}") from error
    except ServiceError as error:
        raise CannotStartError(f"the service refused the request: {error.detail or error.title}") from error
    except (ClientError, KeyError) as error:
        raise CannotStartError(f"the response is not from this service: {error}") from error
