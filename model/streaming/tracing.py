"""From a network of layers to the program of few operations that computes its scores.

Batch-norm is folded into the convolution before it; so are ReLU and a sum.
"""

import operator
from dataclasses import replace
from functools import partial
from typing import cast

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from model.networks import FCN
from model.streaming.operations import (
    Addition,
    AveragePooling,
    Concatenation,
    Convolution,
    MaxPooling,
    Operation,
    Upsample,
)
from model.streaming.program import Program
from model.streaming.rows import Window
from model.streaming.step import Step
from model.upsampling import Upsampling


def trace_scores(network: FCN) -> Program:
    """Trace ``network.scores`` to a program, in evaluation mode and with the current weights.

    Raises:
        NotImplementedError: the network has a layer without a corresponding operation.
    """
    translation, tracer = _Translation(network), _Tracer()
    for node in tracer.trace(Scores(network)).nodes:
        translation.add(node)
    # A closure of the tracer refers to itself and to the tracer, which would keep the network until garbage collection.
    vars(tracer).clear()
    return Program(tuple(translation.steps))


class Scores(nn.Module):
    """``network.scores`` as a module, because only modules can be traced."""

    def __init__(self, network: FCN) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return self.network.scores(images)


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, Upsampling) or super().is_leaf_module(m, module_qualified_name)


class _Translation:
    """Translation of a traced graph's nodes to steps.

    Attributes:
        steps: steps of the program so far.
    """

    def __init__(self, network: FCN) -> None:
        self.steps: list[Step] = []
        self._modules = dict(Scores(network).named_modules())
        self._numbers: dict[fx.Node, int] = {}

    def add(self, node: fx.Node) -> None:
        """Translate a node whose inputs have been translated."""
        match node.op:
            case "placeholder":
                self._numbers[node] = 0
            case "call_module":
                self._numbers[node] = self._module(self._modules[str(node.target)], self._input(node))
            case "call_function":
                self._numbers[node] = self._function(node)
            case "output":
                assert self._input(node) == len(self.steps)
            case _:
                raise NotImplementedError(f"no operation stands for {node.format_node()}")

    def _input(self, node: fx.Node) -> int:
        return self._numbers[cast("fx.Node", node.args[0])]

    def _module(self, module: nn.Module, source: int) -> int:
        match module:
            case nn.Conv2d():
                bias = module.weight.new_zeros(module.out_channels) if module.bias is None else module.bias
                window = Window(module.kernel_size[0], module.stride[0], int(module.padding[0]))
                return self._append(Convolution(module.weight, bias, window), source)
            case nn.BatchNorm2d():
                return self._amend(source, _with_norm(self._convolution(source), module))
            case nn.ReLU():
                return self._amend(source, replace(self._convolution(source), relu=True))
            case nn.MaxPool2d():
                window = Window(*(cast("int", value) for value in (module.kernel_size, module.stride, module.padding)))
                return self._append(MaxPooling(window), source)
            case Upsampling():
                return self._append(Upsample(module, module.factor), source)
            case _:
                raise NotImplementedError(f"no operation stands for {module}")

    def _function(self, node: fx.Node) -> int:
        if node.target in (operator.add, operator.iadd):
            return self._sum(node)
        if node.target is torch.cat:
            parts = [self._numbers[part] for part in cast("list[fx.Node]", node.args[0])]
            return self._append(Concatenation(len(parts)), *parts)
        if node.target is functional.avg_pool2d:
            _, size, stride, padding = cast("tuple[fx.Node, int, int, int]", node.args)
            return self._append(AveragePooling(Window(size, stride, padding)), self._input(node))
        if node.target is functional.interpolate:
            enlarge = partial(functional.interpolate, **node.kwargs)
            return self._append(Upsample(enlarge, cast("int", node.kwargs["scale_factor"])), self._input(node))
        raise NotImplementedError(f"no operation stands for {node.format_node()}")

    def _sum(self, node: fx.Node) -> int:
        """Fold a sum into a convolution, unless that has fewer outputs than inputs: a sum waits for the slower of its
        terms, and a stream has to keep the waiting rows.
        """
        first, second = sorted(self._numbers[cast("fx.Node", term)] for term in node.args)
        operation = self.steps[second - 1].operation
        if not isinstance(operation, Convolution) or operation.weight.shape[0] < operation.weight.shape[1]:
            return self._append(Addition(), first, second)
        return self._amend(second, replace(self._convolution(second), adds=True), first)

    def _convolution(self, number: int) -> Convolution:
        """Return the convolution that outputs a value; nothing else may have read the value."""
        operation = self.steps[number - 1].operation
        readers = sum(number in step.inputs for step in self.steps)
        if not isinstance(operation, Convolution) or operation.relu or readers:
            raise NotImplementedError(f"what follows {operation} cannot be fused into it")
        return operation

    def _append(self, operation: Operation, *inputs: int) -> int:
        self.steps.append(Step(operation, inputs))
        return len(self.steps)

    def _amend(self, number: int, operation: Convolution, *further_inputs: int) -> int:
        self.steps[number - 1] = Step(operation, self.steps[number - 1].inputs + further_inputs)
        return number


def _with_norm(convolution: Convolution, norm: nn.BatchNorm2d) -> Convolution:
    """Fold a batch-norm into the convolution before it."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    dtype = convolution.weight.dtype
    scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    weight = convolution.weight.double() * scale.view(-1, 1, 1, 1)
    bias = norm.bias.double() + (convolution.bias.double() - norm.running_mean.double()) * scale
    weight = weight.to(dtype).contiguous(memory_format=torch.channels_last)
    return replace(convolution, weight=weight, bias=bias.to(dtype))
