"""Descriptions of the weights that a running service uses."""

from pathlib import Path
from typing import Any

from app.cli.service import asking, connect
from app.client import ClassInfo


def remote_classes(url: str, key_file: Path | None) -> dict[str, Any]:
    """The document of ``GET /classes``.

    Raises:
        CannotStartError: the service does not respond, or refuses the request.
    """
    with asking(), connect(url, key_file, retries=0) as client:
        return _document(client.classes())


def remote_model(url: str, key_file: Path | None) -> dict[str, Any]:
    """The document of ``GET /model``, and the classes.

    Raises:
        CannotStartError: the service does not respond, or refuses the request.
    """
    with asking(), connect(url, key_file, retries=0) as client:
        return {**client.model(), **_document(client.classes())}


def _document(classes: tuple[ClassInfo, ...]) -> dict[str, Any]:
    return {"classes": [{"index": one.index, "name": one.name, "color": list(one.color)} for one in classes]}
