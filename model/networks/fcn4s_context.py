"""FCN-4s: the scores of ``FCN8sContext``, refined at 1/4 by the backbone's first stage."""

from torch import Tensor, nn

from model.networks.fcn8s_context import FCN8sContext, conv_block, twice
from model.networks.resnet import Blocks, Features


class FCN4sContext(FCN8sContext):
    """FCN-4s for outlines and small objects, which need the finest features.

    The skip is zero at first, so training starts from ``FCN8sContext``.

    Source of the skip: Long, Shelhamer, Darrell 2015, section 4.2; of the features that it scores: Chen et al. 2018
    (arXiv:1802.02611), section 3.1.
    """

    stride = 4

    def __init__(self, num_classes: int, blocks: Blocks, width: int, *, learned_upsampling: bool) -> None:
        super().__init__(num_classes, blocks, width, learned_upsampling=learned_upsampling)
        self.reduce_layer2 = nn.Sequential(nn.Conv2d(2 * width, width, 1))
        self.lateral_layer1 = nn.Sequential(nn.Conv2d(width, width, 1))
        self.smooth_layer1 = conv_block(width, width, 3)
        self.skip_layer1 = self._skip(width, num_classes)

    def head(self, features: Features) -> Tensor:
        x = self.join(features)  # (B, 2 width, H/8, W/8)
        fine = self.smooth_layer1(twice(self.reduce_layer2(x)) + self.lateral_layer1(features.layer1))
        scores: Tensor = twice(self.classifier(x)) + self.skip_layer1(fine)  # (B, K, H/4, W/4)
        return scores
