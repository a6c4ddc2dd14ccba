"""8-bit integers in PyTorch itself: oneDNN's quantised convolutions, with ranges measured on photographs.

Activations are uint8 with one scale a tensor, weights int8 with one scale a channel. The stem, whose input is no
integer, and what is interpolated or pooled stay float32. No package is needed beside PyTorch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.engines.candidate import Body, Candidate, Engine, UnavailableError
from benchmarks.engines.folding import fold
from benchmarks.engines.fused import FusedConvolution
from model.networks import FCN
from model.networks.fcn8s_context import _WINDOWS, FCN8sContext
from model.networks.resnet import BasicBlock


def candidates() -> list[Candidate]:
    return [Candidate("PyTorch int8", _int8, lossy=True)]


@dataclass(frozen=True, slots=True)
class Grid:
    """The 256 values that a tensor's integers stand for: (integer - zero_point) * scale."""

    scale: float
    zero_point: int

    @classmethod
    def covering(cls, low: float, high: float) -> "Grid":
        """From ``low``, or from 0 if that is above it, to ``high``; 0 is one of the values."""
        low = min(low, 0.0)
        scale = max(high - low, 1e-6) / 255
        return cls(scale, round(-low / scale))

    def round(self, values: Tensor) -> Tensor:
        """Floating point -> uint8."""
        # One half, so that cutting off rounds; the addition makes the copy that the rest may change.
        return values.mul(1 / self.scale).add_(self.zero_point + 0.5).clamp_(0, 255).to(torch.uint8)


class Ranges:
    """Grids for the inputs and outputs of a network's modules, from its float32 predictions.

    Args:
        network: folded; predicts each of ``body.calibration``.
    """

    def __init__(self, network: FCN, body: Body) -> None:
        self._ranges: dict[tuple[nn.Module, str], tuple[float, float]] = {}
        watched = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Sequential | BasicBlock)]
        hooks = [module.register_forward_pre_hook(self._saw_input) for module in watched]
        hooks += [module.register_forward_hook(self._saw_output) for module in watched]
        for images in body.calibration:
            network.scores(images)
        for hook in hooks:
            hook.remove()

    def input(self, module: nn.Module) -> Grid:
        return Grid.covering(*self._ranges[module, "input"])

    def output(self, module: nn.Module) -> Grid:
        return Grid.covering(*self._ranges[module, "output"])

    def _saw_input(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        self._saw((module, "input"), inputs[0])

    def _saw_output(self, module: nn.Module, _: tuple[Any, ...], output: Tensor) -> None:
        self._saw((module, "output"), output)

    def _saw(self, key: tuple[nn.Module, str], values: Tensor) -> None:
        low, high = (bound.item() for bound in values.aminmax())
        known_low, known_high = self._ranges.get(key, (low, high))
        self._ranges[key] = min(low, known_low), max(high, known_high)


class IntegerConvolution:
    """A convolution of uint8, then a sum if there is something to add, then ReLU if wanted.

    Args:
        convolution: float32.
        source: grid of the input.
        target: grid of the output, or None for float32.
        relu: whether negative outputs become 0.
    """

    def __init__(self, convolution: nn.Conv2d, source: Grid, target: Grid | None, *, relu: bool) -> None:
        assert not isinstance(convolution.padding, str)
        self._source = source
        self._relu = relu
        self._output = (1.0, 0, torch.float32) if target is None else (target.scale, target.zero_point, torch.uint8)
        self._bias = convolution.bias
        self._geometry = (
            list(convolution.stride),
            list(convolution.padding),
            list(convolution.dilation),
            convolution.groups,
        )
        weight = convolution.weight.detach()
        self._scales = weight.abs().amax(dim=(1, 2, 3)).clamp_min(1e-12) / 127
        integers = (weight / self._scales.view(-1, 1, 1, 1)).round().to(torch.int8)
        self._zeros = torch.zeros(len(weight), dtype=torch.int32)
        self._weight: Tensor = torch.ops.onednn.qconv_prepack(
            integers, self._scales, source.scale, source.zero_point, *self._geometry, None
        )

    def __call__(self, x: Tensor) -> Tensor:
        result: Tensor = torch.ops.onednn.qconv2d_pointwise(
            *self._operands(x), self._bias, *self._geometry, *self._output, "relu" if self._relu else "none", [], ""
        )
        return result

    def add(self, total: Tensor, grid: Grid, x: Tensor) -> Tensor:
        """The convolution of ``x`` plus ``total``, which is on a grid (float32: scale 1) and may be overwritten."""
        result: Tensor = torch.ops.onednn.qconv2d_pointwise.binary(
            *self._operands(x),
            total,
            self._bias,
            *self._geometry,
            *self._output,
            grid.scale,
            grid.zero_point,
            "sum",
            1.0,
            "relu" if self._relu else "none",
            [],
            "",
        )
        return result

    def _operands(self, x: Tensor) -> tuple[Tensor, float, int, Tensor, Tensor, Tensor]:
        return x, self._source.scale, self._source.zero_point, self._weight, self._scales, self._zeros


_FLOATS = Grid(1.0, 0)
"""What oneDNN wants to hear of a sum that is float32."""


class IntegerBlock:
    """A ``BasicBlock`` of uint8."""

    def __init__(self, block: BasicBlock, ranges: Ranges) -> None:
        self._shortcut_grid = ranges.input(block)
        self._downsample: IntegerConvolution | None = None
        if block.downsample is not None:
            self._shortcut_grid = ranges.output(block.downsample)
            self._downsample = _convolution(block.downsample[0], ranges, self._shortcut_grid)
        self._conv1 = _convolution(block.conv1, ranges, ranges.input(block.conv2), relu=True)
        self._conv2 = _convolution(block.conv2, ranges, ranges.output(block), relu=True)

    def __call__(self, x: Tensor) -> Tensor:
        shortcut = x if self._downsample is None else self._downsample(x)
        return self._conv2.add(shortcut, self._shortcut_grid, self._conv1(x))


class IntegerBody:
    """A folded ``FCN8sContext`` of uint8."""

    def __init__(self, network: FCN8sContext, ranges: Ranges) -> None:
        backbone, context = network.backbone, network.context
        self._stem = FusedConvolution(backbone.conv1, relu=True)
        self._maxpool = backbone.maxpool
        self._stem_grid = ranges.input(backbone.layer1[0])
        self._stages = [
            [IntegerBlock(block, ranges) for block in stage if isinstance(block, BasicBlock)]
            for stage in (backbone.layer1, backbone.layer2, backbone.layer3, backbone.layer4)
        ]
        self._reduce = [_convolution(_first(layers), ranges, None, relu=True) for layers in context.reduce]
        self._join_grid = ranges.input(_first(context.join))
        # layer4 goes into the concatenation as it is, on the grid that covers all of it.
        self._layer4_grid = ranges.output(backbone.layer4[-1])
        self._join = _convolution(_first(context.join), ranges, ranges.output(context.join), relu=True)
        self._lateral4 = _convolution(_first(network.lateral_layer4), ranges, None, relu=True)
        self._lateral3 = _convolution(_first(network.lateral_layer3), ranges, None)
        self._lateral2 = _convolution(_first(network.lateral_layer2), ranges, None)
        self._smooth3 = _convolution(_first(network.smooth_layer3), ranges, None, relu=True)
        self._smooth3_grid = ranges.input(network.smooth_layer3)
        self._smooth2 = _convolution(_first(network.smooth_layer2), ranges, ranges.input(network.classifier), relu=True)
        self._smooth2_grid = ranges.input(network.smooth_layer2)
        self._classifier = _convolution(network.classifier, ranges, None)

    def scores(self, images: Tensor) -> Tensor:
        x = self._stem_grid.round(self._maxpool(self._stem(images)))
        features = []
        for stage in self._stages:
            for block in stage:
                x = block(x)
            features.append(x)
        _, layer2, layer3, layer4 = features
        x = self._lateral4(self._join(self._context(layer4)))
        x = self._smooth3(self._smooth3_grid.round(self._lateral3.add(_twice(x), _FLOATS, layer3)))
        x = self._smooth2(self._smooth2_grid.round(self._lateral2.add(_twice(x), _FLOATS, layer2)))
        return self._classifier(x)

    def _context(self, layer4: Tensor) -> Tensor:
        parts = [layer4.float() * self._layer4_grid.scale]
        for window, reduce in zip(_WINDOWS, self._reduce, strict=True):
            parts.append(functional.avg_pool2d(reduce(layer4), window, 1, window // 2, count_include_pad=False))
        return self._join_grid.round(torch.cat(parts, dim=1))


def _convolution(
    convolution: nn.Module, ranges: Ranges, target: Grid | None, *, relu: bool = False
) -> IntegerConvolution:
    assert isinstance(convolution, nn.Conv2d)
    return IntegerConvolution(convolution, ranges.input(convolution), target, relu=relu)


def _first(layers: nn.Module) -> nn.Module:
    assert isinstance(layers, nn.Sequential)
    return layers[0]


def _twice(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def _int8(body: Body) -> Engine:
    if not torch.cpu._is_vnni_supported():
        raise UnavailableError("the CPU has no 8-bit dot products (VNNI)")
    network = fold(body.copy())
    if not isinstance(network, FCN8sContext):
        raise UnavailableError("only the network that ships has been written in integers")
    scores: Callable[[Tensor], Tensor] = IntegerBody(network, Ranges(network, body)).scores
    return scores
