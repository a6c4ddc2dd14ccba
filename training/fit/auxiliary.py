"""An auxiliary head, used in training only."""

from typing import cast

from torch import Tensor, nn

from model.networks import FCN

STRIDE = 16
"""Side of a cell of layer3, in pixels."""


class AuxiliaryHead(nn.Module):
    """Scores classes from layer3, to give it a shorter gradient path.

    Source: Zhao et al. 2016 (arXiv:1612.01105), section 3.3; the layers are those of torchvision's ``FCNHead``, without
    dropout.
    """

    def __init__(self, channels: int, num_classes: int) -> None:
        super().__init__()
        middle = max(1, channels // 4)
        self.layers = nn.Sequential(
            nn.Conv2d(channels, middle, 3, padding=1, bias=False),
            nn.BatchNorm2d(middle),
            nn.ReLU(inplace=True),
            nn.Conv2d(middle, num_classes, 1),
        )

    def forward(self, layer3: Tensor) -> Tensor:
        """(B, channels, H/16, W/16) -> (B, K, H/16, W/16)."""
        return cast("Tensor", self.layers(layer3))


class Scorer(nn.Module):
    """A network and an optional auxiliary head as one module: images -> scores of both.

    Attributes:
        network: the network.
        auxiliary: the auxiliary head, or None.
    """

    def __init__(self, network: FCN, auxiliary: AuxiliaryHead | None) -> None:
        super().__init__()
        self.network = network
        self.auxiliary = auxiliary

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """(B, 3, H, W), normalised -> (B, K, H/stride, W/stride), and (B, K, H/16, W/16) or None."""
        features = self.network.backbone(images)
        auxiliary = None if self.auxiliary is None else self.auxiliary(features.layer3)
        return self.network.head(features), auxiliary
