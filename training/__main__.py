"""``python -m training``: the command line."""

from pathlib import Path
from typing import Annotated

import torch
import typer

from model.errors import SegmentationError
from model.labels import VOC
from model.networks import Architecture, NetworkConfig, build_network
from model.networks.backbone_weights import load_backbone_file, load_backbone_from_torchvision
from training.batches import Source
from training.config import TrainConfig
from training.dataset import VocDataset
from training.engine import Trainer
from training.errors import TrainingError

cli = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False)


@cli.callback()
def _main() -> None:
    """Train and score networks on data in Pascal VOC layout."""


_DEFAULTS = TrainConfig()


@cli.command()
def train(
    source: Annotated[list[str], typer.Option(help="FOLDER:LIST:N, a data set in VOC layout, its list, its samples a batch.")],
    out: Annotated[Path, typer.Option(help="Folder for checkpoint and log.")],
    backbone: Annotated[Path | None, typer.Option(help="ImageNet weights; default: torchvision's, downloaded.")] = None,
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
    sources = [_parse_source(text) for text in source]
    torch.manual_seed(seed)
    network_config = NetworkConfig(
        architecture, len(VOC), (2, 2, 2, layer4_blocks), learned_upsampling=learned_upsampling
    )
    network = build_network(network_config)
    if backbone is None:
        load_backbone_from_torchvision(network.backbone)
    else:
        load_backbone_file(network.backbone, backbone)
    name = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    trainer = Trainer(network, network_config, VOC, sources, config, out, torch.device(name))
    trainer.train()
    print(trainer.checkpoint_file)


def _parse_source(text: str) -> Source:
    try:
        folder, split, per_batch = text.rsplit(":", 2)
        return Source(VocDataset(Path(folder), split), int(per_batch))
    except ValueError as error:
        raise typer.BadParameter(f"{text} is not FOLDER:LIST:N") from error


if __name__ == "__main__":
    try:
        cli()
    except (TrainingError, SegmentationError) as error:
        raise SystemExit(f"error: {error}") from error
