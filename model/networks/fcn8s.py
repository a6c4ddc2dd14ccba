"""FCN-8s: scores of the last stage, refined by scores of the two stages before."""

from torch import Tensor

from model.networks.fcn import FCN
from model.networks.resnet import Blocks, Features


class FCN8s(FCN):
    """Source: Long, Shelhamer, Darrell 2015, section 4.2."""

    stride = 8

    def __init__(self, num_classes: int, blocks: Blocks, width: int, *, learned_upsampling: bool) -> None:
        super().__init__(num_classes, blocks, width, learned_upsampling=learned_upsampling)
        self.upsampling2_layer4 = self._upsampling_type(num_classes, 2)
        self.skip_layer3 = self._skip(4 * width, num_classes)
        self.upsampling2_layer3 = self._upsampling_type(num_classes, 2)
        self.skip_layer2 = self._skip(2 * width, num_classes)

    def head(self, features: Features) -> Tensor:
        scores: Tensor = self.upsampling2_layer4(self.classifier(features.layer4))  # (B, K, H/16, W/16)
        scores += self.skip_layer3(features.layer3)
        scores = self.upsampling2_layer3(scores)  # (B, K, H/8, W/8)
        scores += self.skip_layer2(features.layer2)
        return scores
