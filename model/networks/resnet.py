"""ResNet-18 without its pooling and dense layer: image tensor -> feature maps at 1/4, 1/8, 1/16 and 1/32.

Parameter names are torchvision's, so that its ImageNet weights load unchanged.

Source: He, Zhang, Ren, Sun 2015 (arXiv:1512.03385), table 1.
"""

from typing import NamedTuple

from torch import Tensor, nn

Blocks = tuple[int, int, int, int]


class Features(NamedTuple):
    """Outputs of the four stages: (batch, width * 2^k, height / 2^(2+k), width / 2^(2+k)) for k = 0..3."""

    layer1: Tensor
    layer2: Tensor
    layer3: Tensor
    layer4: Tensor


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut around them."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or in_channels != out_channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.bn2(self.conv2(x))
        x += shortcut
        result: Tensor = self.relu(x)
        return result


class ResNet(nn.Module):
    """The convolutional body of a ResNet of basic blocks.

    Args:
        blocks: number of basic blocks in each stage; (2, 2, 2, 2) is ResNet-18.
        width: channels of the first stage; 64 is ResNet-18. The later stages have 2, 4 and 8 times as many.
    """

    def __init__(self, blocks: Blocks = (2, 2, 2, 2), width: int = 64) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _stage(width, width, blocks[0], stride=1)
        self.layer2 = _stage(width, 2 * width, blocks[1], stride=2)
        self.layer3 = _stage(2 * width, 4 * width, blocks[2], stride=2)
        self.layer4 = _stage(4 * width, 8 * width, blocks[3], stride=2)
        for module in self.modules():
            # On the meta device there is nothing to initialise, and PyTorch would import its compiler to find that out.
            if isinstance(module, nn.Conv2d) and not module.weight.is_meta:
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Features:
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))  # (B, width, H/4, W/4)
        layer1 = self.layer1(x)
        layer2 = self.layer2(layer1)  # (B, 2 width, H/8, W/8)
        layer3 = self.layer3(layer2)  # (B, 4 width, H/16, W/16)
        layer4 = self.layer4(layer3)  # (B, 8 width, H/32, W/32)
        return Features(layer1, layer2, layer3, layer4)


def _stage(in_channels: int, out_channels: int, blocks: int, stride: int) -> nn.Sequential:
    first = BasicBlock(in_channels, out_channels, stride)
    return nn.Sequential(first, *(BasicBlock(out_channels, out_channels, 1) for _ in range(blocks - 1)))
