"""``python -m training export``."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from PIL import Image

from model.checkpoint import Checkpoint
from training.export import export as export_checkpoint


def export(
    weights: Annotated[Path, typer.Argument(help="Checkpoint of a training run.")],
    out: Annotated[Path, typer.Argument(help="Checkpoint to write, for the service.")],
    golden: Annotated[Path, typer.Option(help="Photograph whose mask is stored and checked at each start.")],
    summary: Annotated[Path | None, typer.Option(help="JSON: name, trained_on, scores, licenses.")] = None,
) -> None:
    """Make the checkpoint that the service loads: golden sample, scores, origin."""
    checkpoint = Checkpoint.load(weights)
    try:
        given = {} if summary is None else json.loads(summary.read_text())
        described = replace(checkpoint.summary, **given)
    except (OSError, ValueError, TypeError) as error:
        raise typer.BadParameter(f"{summary} is no summary: {error}") from error
    try:
        image = np.asarray(Image.open(golden).convert("RGB"))
    except OSError as error:
        raise typer.BadParameter(f"{golden} is no photograph: {error}") from error
    export_checkpoint(checkpoint, image, described, out)
