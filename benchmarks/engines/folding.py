"""Batch normalisation folded into the convolutions before it: the same function with fewer passes over memory."""

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from model.networks import FCN
from model.networks.resnet import BasicBlock, ResNet


def fold(network: FCN) -> FCN:
    """Fold every batch normalisation of a network in evaluation mode, in place; returns the network."""
    for module in list(network.modules()):
        if isinstance(module, ResNet):
            module.conv1 = fuse_conv_bn_eval(module.conv1, module.bn1)
            _forget(module, "bn1")
        elif isinstance(module, BasicBlock):
            module.conv1 = fuse_conv_bn_eval(module.conv1, module.bn1)
            module.conv2 = fuse_conv_bn_eval(module.conv2, module.bn2)
            _forget(module, "bn1")
            _forget(module, "bn2")
        elif isinstance(module, nn.Sequential):
            _fold_pairs(module)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    return network.requires_grad_(False)


def _fold_pairs(layers: nn.Sequential) -> None:
    for index in range(len(layers) - 1):
        convolution, normalization = layers[index], layers[index + 1]
        if isinstance(convolution, nn.Conv2d) and isinstance(normalization, nn.BatchNorm2d):
            layers[index] = fuse_conv_bn_eval(convolution, normalization)
            layers[index + 1] = nn.Identity()


def _forget(module: nn.Module, name: str) -> None:
    setattr(module, name, nn.Identity())
