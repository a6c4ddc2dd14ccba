"""``python -m training``: the command line."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from PIL import Image

from model.checkpoint import Checkpoint
from model.device import choose_device
from model.errors import SegmentationError
from model.labels import VOC, Labels
from model.networks import FCN, Architecture, NetworkConfig, build_network
from model.networks.backbone_weights import load_backbone_file, load_backbone_from_torchvision
from model.preprocessing import DEFAULT_PREPROCESSING
from model.segmenter import Segmenter
from model.tiling import Tiling
from training.batches import Source
from training.config import TrainConfig
from training.dataset import VocDataset
from training.engine import Trainer
from training.errors import TrainingError
from training.evaluation import evaluate as evaluate_dataset
from training.export import export as export_checkpoint
from training.pictures import comparison, one_below_the_other

cli = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False)


@cli.callback()
def _main() -> None:
    """Train and score networks on data in Pascal VOC layout."""


_DEFAULTS = TrainConfig()


@cli.command()
def train(
    source: Annotated[
        list[str], typer.Option(help="FOLDER:LIST:N, a data set in VOC layout, its list, its samples a batch.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for checkpoint and log.")],
    backbone: Annotated[Path | None, typer.Option(help="ImageNet weights; default: torchvision's, downloaded.")] = None,
    start_from: Annotated[
        Path | None,
        typer.Option(help="Checkpoint to go on from; its network and classes stand, whatever the options say of them."),
    ] = None,
    architecture: Architecture = Architecture.FCN8S,
    layer4_blocks: int = 2,
    learned_upsampling: bool = False,
    steps: int = _DEFAULTS.steps,
    crop_size: int = _DEFAULTS.crop_size,
    min_scale: float = _DEFAULTS.min_scale,
    max_scale: float = _DEFAULTS.max_scale,
    learning_rate: float = _DEFAULTS.learning_rate,
    head_learning_rate: float = _DEFAULTS.head_learning_rate,
    frozen_stages: int = _DEFAULTS.frozen_stages,
    bfloat16: bool = _DEFAULTS.bfloat16,
    workers: int = _DEFAULTS.workers,
    seed: int = _DEFAULTS.seed,
    device: str = "auto",
) -> None:
    """Train a network; write OUT/last.safetensors every few hundred steps and at the end."""
    config = TrainConfig(
        steps=steps,
        crop_size=crop_size,
        min_scale=min_scale,
        max_scale=max_scale,
        learning_rate=learning_rate,
        head_learning_rate=head_learning_rate,
        frozen_stages=frozen_stages,
        bfloat16=bfloat16,
        workers=workers,
        seed=seed,
    )
    start = None if start_from is None else Checkpoint.load(start_from)
    labels = VOC if start is None else start.labels
    sources = [_parse_source(text, labels) for text in source]
    torch.manual_seed(seed)
    if start is None:
        network_config = NetworkConfig(
            architecture, len(labels), (2, 2, 2, layer4_blocks), learned_upsampling=learned_upsampling
        )
        network = _with_backbone(build_network(network_config), backbone)
    else:
        network_config, network = start.config, start.build().requires_grad_(True)
    preprocessing = DEFAULT_PREPROCESSING if start is None else start.preprocessing
    trainer = Trainer(
        network, network_config, labels, sources, config, out, choose_device(device), preprocessing=preprocessing
    )
    trainer.train()
    print(trainer.checkpoint_file)


@cli.command()
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


@cli.command()
def predict(
    weights: Annotated[Path, typer.Argument(help="Checkpoint.")],
    data: Annotated[Path, typer.Argument(help="Data set in VOC layout.")],
    out: Annotated[Path, typer.Argument(help="PNG to write.")],
    split: Annotated[str, typer.Option(help="Its list.")] = "val",
    first: Annotated[int, typer.Option(min=0, help="Number of the first sample.")] = 0,
    count: Annotated[int, typer.Option(min=1, help="Number of samples.")] = 4,
    step: Annotated[int, typer.Option(min=1, help="Take every so many.")] = 1,
    device: str = "auto",
) -> None:
    """Draw rows of image | prediction | ground truth."""
    checkpoint = Checkpoint.load(weights)
    segmenter = Segmenter(checkpoint, device)
    dataset = VocDataset(data, split, checkpoint.labels)
    samples = [dataset[index] for index in range(first, len(dataset), step)[:count]]
    if not samples:
        raise typer.BadParameter(f"the list names {len(dataset)} samples; none is number {first}")
    one_below_the_other(
        [
            comparison(sample.image, segmenter.segment(sample.image).mask, sample.mask, checkpoint.labels)
            for sample in samples
        ]
    ).save(out)


@cli.command()
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


def _with_backbone(network: FCN, file: Path | None) -> FCN:
    if file is None:
        load_backbone_from_torchvision(network.backbone)
    else:
        load_backbone_file(network.backbone, file)
    return network


def _parse_source(text: str, labels: Labels) -> Source:
    try:
        folder, split, per_batch = text.rsplit(":", 2)
        return Source(VocDataset(Path(folder), split, labels), int(per_batch))
    except ValueError as error:
        raise typer.BadParameter(f"{text} is not FOLDER:LIST:N") from error


if __name__ == "__main__":
    try:
        cli()
    except (TrainingError, SegmentationError) as error:
        raise SystemExit(f"error: {error}") from error
