"""``python -m training train``."""

from pathlib import Path
from typing import Annotated

import torch
import typer

from model.checkpoint import Checkpoint
from model.device import choose_device
from model.labels import VOC, Labels
from model.networks import FCN, Architecture, NetworkConfig, build_network
from model.networks.backbone_weights import load_backbone_file, load_backbone_from_torchvision
from model.preprocessing import DEFAULT_PREPROCESSING
from training.batches import Source
from training.config import TrainConfig
from training.dataset import VocDataset
from training.engine import Trainer

_DEFAULTS = TrainConfig()


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
