"""FCN-32s: the network of *Dive into Deep Learning* 14.11."""

from torch import Tensor

from model.networks.fcn import FCN


class FCN32s(FCN):
    """Scores of the last stage alone, upsampled 32 times at once."""

    stride = 32

    def scores(self, images: Tensor) -> Tensor:
        scores: Tensor = self.classifier(self.backbone(images).layer4)  # (B, K, H/32, W/32)
        return scores
