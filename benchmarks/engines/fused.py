"""PyTorch layer by layer, with what follows a convolution done inside it by oneDNN, and weights laid out for it once.

The operators are those that torch.compile itself emits. They take and give ordinary channels_last tensors and work for
images of any size.
"""

import torch
from torch import Tensor, nn

from benchmarks.engines.candidate import Body, Candidate, Engine, UnavailableError
from benchmarks.engines.eager import in_bfloat16, require_bfloat16
from benchmarks.engines.folding import fold
from model.networks import FCN
from model.networks.resnet import BasicBlock, ResNet


def candidates() -> list[Candidate]:
    return [
        Candidate("fused float32", _float32),
        Candidate("fused bfloat16", _bfloat16, lossy=True),
    ]


class FusedConvolution(nn.Module):
    """A convolution, then a sum if there is something to add, then ReLU if wanted.

    The weight is opaque to torch: such a layer can neither be copied nor saved.
    """

    def __init__(self, convolution: nn.Conv2d, *, relu: bool) -> None:
        super().__init__()
        assert not isinstance(convolution.padding, str)
        self._padding = list(convolution.padding)
        self._stride = list(convolution.stride)
        self._dilation = list(convolution.dilation)
        self._groups = convolution.groups
        self._relu = relu
        self._bias = convolution.bias
        weight = convolution.weight.detach().contiguous(memory_format=torch.channels_last)
        self._weight: Tensor = torch.ops.mkldnn._reorder_convolution_weight(
            weight, self._padding, self._stride, self._dilation, self._groups
        )

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, self._weight, self._bias, *self._geometry(), "relu" if self._relu else "none", [], ""
        )
        return result

    def add_to_(self, total: Tensor, x: Tensor) -> Tensor:
        """Add the convolution of ``x`` to ``total``, in place, then ReLU if wanted."""
        result: Tensor = torch.ops.mkldnn._convolution_pointwise_.binary(
            total, x, self._weight, self._bias, *self._geometry(), "add", None, "relu" if self._relu else None, [], None
        )
        return result

    def _geometry(self) -> tuple[list[int], list[int], list[int], int]:
        return self._padding, self._stride, self._dilation, self._groups


class FusedBlock(nn.Module):
    """A folded ``BasicBlock``. Overwrites its input where the shortcut is the input itself: nobody reads it again."""

    def __init__(self, block: BasicBlock) -> None:
        super().__init__()
        self.conv1 = FusedConvolution(block.conv1, relu=True)
        self.conv2 = FusedConvolution(block.conv2, relu=True)
        self.downsample: FusedConvolution | None = None
        if block.downsample is not None:
            convolution = block.downsample[0]
            assert isinstance(convolution, nn.Conv2d)
            self.downsample = FusedConvolution(convolution, relu=False)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        return self.conv2.add_to_(shortcut, self.conv1(x))


def fuse(network: FCN) -> FCN:
    """Fuse every convolution of a folded network, in place; returns the network.

    Raises:
        UnavailableError: this PyTorch has no oneDNN.
    """
    if not torch._C._has_mkldnn:
        raise UnavailableError("this PyTorch has no oneDNN")
    _fuse_children(network)
    return network


def _fuse_children(module: nn.Module) -> None:
    if isinstance(module, ResNet):
        # Set as Sequential's items are, by name: the annotations of ResNet tell of what it is made with.
        setattr(module, "conv1", FusedConvolution(module.conv1, relu=True))  # noqa: B010
        setattr(module, "relu", nn.Identity())  # noqa: B010
    if isinstance(module, nn.Sequential):
        _join_relu(module)
    for name, child in module.named_children():
        if isinstance(child, BasicBlock):
            setattr(module, name, FusedBlock(child))
        elif isinstance(child, nn.Conv2d):
            setattr(module, name, FusedConvolution(child, relu=False))
        elif not isinstance(child, FusedConvolution):
            _fuse_children(child)


def _join_relu(layers: nn.Sequential) -> None:
    kept = [layer for layer in layers if not isinstance(layer, nn.Identity)]
    if len(kept) == 2 and isinstance(kept[0], nn.Conv2d) and isinstance(kept[1], nn.ReLU):
        kept = [FusedConvolution(kept[0], relu=True)]
        del layers[:]
        layers.extend(kept)


def _float32(body: Body) -> Engine:
    return fuse(fold(body.copy())).scores


def _bfloat16(body: Body) -> Engine:
    require_bfloat16()
    return in_bfloat16(fuse(fold(body.copy()).bfloat16()))
