"""Initialisation of the network to train."""

from dataclasses import replace
from pathlib import Path

import torch

from model.checkpoint import Checkpoint
from model.labels import Labels
from model.networks import FCN, NetworkConfig, build_network
from model.networks.backbone_weights import load_backbone_file, load_backbone_from_torchvision
from model.preprocessing import DEFAULT_PREPROCESSING, Preprocessing
from training.config import TrainConfig


def starting_network(config: TrainConfig, labels: Labels) -> tuple[FCN, NetworkConfig, Preprocessing]:
    """Build the network and load the initial weights of the configuration.

    Returns:
        The network in training mode, its configuration and its preprocessing.

    Raises:
        CheckpointError, NetworkError: weights cannot be read or do not fit.
    """
    torch.manual_seed(config.run.seed)
    if config.start.checkpoint is not None:
        checkpoint = Checkpoint.load(config.start.checkpoint)
        wanted = checkpoint.config if config.start.keep_network else config.network
        return _from_checkpoint(checkpoint, replace(wanted, num_classes=len(labels)), labels)
    network_config = replace(config.network, num_classes=len(labels))
    network = build_network(network_config)
    if config.start.backbone == "torchvision":
        load_backbone_from_torchvision(network.backbone)
    elif config.start.backbone != "random":
        load_backbone_file(network.backbone, Path(config.start.backbone))
    return network, network_config, DEFAULT_PREPROCESSING


def _from_checkpoint(
    checkpoint: Checkpoint, network_config: NetworkConfig, labels: Labels
) -> tuple[FCN, NetworkConfig, Preprocessing]:
    if checkpoint.labels == labels and checkpoint.config == network_config:
        return checkpoint.build().requires_grad_(True).train(), network_config, checkpoint.preprocessing
    network = build_network(network_config)
    own = network.state_dict()
    foreign_layers = set() if checkpoint.labels == labels else network.class_layers()
    shared = {
        name: weight
        for name, weight in checkpoint.build().state_dict().items()
        if name.split(".")[0] not in foreign_layers and name in own and own[name].shape == weight.shape
    }
    network.load_state_dict(shared, strict=False)
    return network, network_config, checkpoint.preprocessing
