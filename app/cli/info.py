"""``fcn-segment info``."""

import json
from pathlib import Path
from typing import Any

import typer

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


def info(
    weights: WeightsOption = None,
    device: DeviceOption = None,
    precision: PrecisionOption = None,
    url: UrlOption = None,
    key_file: KeyFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Describe the network: its architecture, its scores and its device.

    The weights are checked: on this device and in this precision, they must
    reproduce their golden mask.
    """
    require_one_place(url, key_file, weights=weights, device=device, precision=precision)
    set_settings(weights=weights, device=device, precision=precision)
    document = _document(url, key_file)
    typer.echo(json.dumps(document, indent=2) if as_json else _sheet(document))


def _document(url: str | None, key_file: Path | None) -> dict[str, Any]:
    if url is not None:
        from app.cli.remote_model import remote_model  # noqa: PLC0415 (without PyTorch)

        return remote_model(url, key_file)
    from app.cli.local_model import local_model  # noqa: PLC0415
    from app.process_settings import read_settings  # noqa: PLC0415
    from app.settings import Settings  # noqa: PLC0415

    return local_model(read_settings(Settings))


def _sheet(document: dict[str, Any]) -> str:
    """The document as text, one line per entry, without training settings and limits."""
    blocks = ", ".join(str(count) for count in document["backbone_blocks"])
    lines = {
        "name": document["name"],
        "architecture": f"{document['architecture']}, ResNet of {blocks} blocks",
        "sha256": document["sha256"],
        "classes": f"{document['num_classes']}: {', '.join(one['name'] for one in document['classes'][:-1])}",
        "trained on": document["trained_on"],
        "scores": ", ".join(f"{name} {value:.4g}" for name, value in document["scores"].items()),
        "licenses": document["licenses"],
        "device": document["device"],
        "precision": f"{document['precision']} ({document['precision_reason']})",
    }
    width = max(len(name) for name in lines)
    return "\n".join(f"{name:{width}}  {value}" for name, value in lines.items())
