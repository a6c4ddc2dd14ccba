"""``python -m training evaluate``."""

import json
from pathlib import Path
from typing import Annotated

import typer

from model.checkpoint import Checkpoint
from model.segmenter import Segmenter
from model.tiling import Tiling
from training.dataset import VocDataset
from training.evaluation import evaluate as evaluate_dataset


def evaluate(
    weights: Annotated[Path, typer.Argument(help="Checkpoint.")],
    data: Annotated[Path, typer.Argument(help="Data set in VOC layout.")],
    split: Annotated[str, typer.Option(help="Its list.")] = "val",
    tiling: Tiling = Tiling.AUTO,
    classes: Annotated[str, typer.Option(help="Names, comma-separated: also print their mean IoU.")] = "",
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the scores here, too.")] = None,
    device: str = "auto",
) -> None:
    """Score a checkpoint at original resolution: per-class IoU, mean IoU, accuracies."""
    checkpoint = Checkpoint.load(weights)
    chosen = tuple(name for name in classes.split(",") if name)
    unknown = set(chosen) - set(checkpoint.labels.names)
    if unknown:
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}: no such class")
    dataset = VocDataset(data, split, checkpoint.labels)
    result = evaluate_dataset(Segmenter(checkpoint, device), dataset, tiling, chosen)
    print(result.table())
    if json_file is not None:
        json_file.write_text(json.dumps(result.document(), indent=2) + "\n")
