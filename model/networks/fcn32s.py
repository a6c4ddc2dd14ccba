"""FCN-32s: the network of *Dive into Deep Learning* 14.11."""

from torch import Tensor

from model.networks.fcn import FCN
from model.networks.resnet import Features


class FCN32s(FCN):
    """Scores of the last stage alone, upsampled by 32 in one step."""

    stride = 32

    def head(self, features: Features) -> Tensor:
        scores: Tensor = self.classifier(features.layer4)  # (B, K, H/32, W/32)
        return scores
