from dataclasses import replace
from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from model.errors import CheckpointError
from model.networks import Architecture
from model.streaming import Program, Rows, Step, Stream, fuse, measure_ranges, quantize, trace_scores
from model.streaming.operations import Convolution, MaxPooling
from model.streaming.quantization import QuantizedConvolution, QuantizedMaxPooling, QuantizedPointwiseConvolution
from model.streaming.quantization_params import QuantizationParams
from model.streaming.rows import Window
from model.streaming.strips import Strips
from tests.model.flow import flow
from tests.model.random_checkpoint import random_checkpoint
from tests.precisions import needs_int8

pytestmark = needs_int8

PARAMS = [QuantizationParams.covering(0, 4), QuantizationParams.covering(-3, 4), QuantizationParams.covering(-3, -1)]


def _noise(*shape: int, seed: int = 0) -> Tensor:
    noise = torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
    return noise.contiguous(memory_format=torch.channels_last)


@cache
def _programs(architecture: Architecture, *, learned_upsampling: bool = False) -> tuple[Program, Program, Program]:
    """Programs in floating point, in integers, and in integers, transposed."""
    checkpoint = random_checkpoint(architecture, width=16, learned_upsampling=learned_upsampling)
    program = trace_scores(checkpoint.build())
    ranges = measure_ranges(program, [_noise(2, 3, 320, 96, seed=1)])
    return program, fuse(quantize(program, ranges)), fuse(quantize(program.transposed(), ranges))


def _convolution(window: Window, *, relu: bool, adds: bool) -> Convolution:
    weight = _noise(8, 16, window.size, window.size, seed=2) / 12
    weight[0] = 0
    return Convolution(weight, _noise(8, 1, 1, 1, seed=3).flatten(), window, relu, adds)


@pytest.mark.parametrize("window", [Window(), Window(3, 1, 1), Window(3, 2, 1), Window(1, 2)])
@pytest.mark.parametrize("source", PARAMS)
@pytest.mark.parametrize("addend", [None, *PARAMS])
@pytest.mark.parametrize("target", [None, QuantizationParams.covering(0, 6), QuantizationParams.covering(-5, 6)])
def test_a_convolution_is_torchs_of_the_numbers_that_its_integers_stand_for(
    window: Window, source: QuantizationParams, addend: QuantizationParams | None, target: QuantizationParams | None
) -> None:
    for relu in (False, True):
        convolution = _convolution(window, relu=relu, adds=addend is not None)
        kind = QuantizedPointwiseConvolution if window.size == 1 and addend is None else QuantizedConvolution
        quantized = kind.of(convolution, source, addend, target)
        scale = quantized.scales.view(-1, 1, 1, 1)
        assert (quantized.scales[1:] * 127).tolist() == pytest.approx(
            convolution.weight[1:].abs().amax((1, 2, 3)).tolist()
        )
        rounded = replace(convolution, weight=(convolution.weight / scale).round() * scale)

        total, wanted = window.total(12), range(window.total(12))
        inputs = [Rows(0, (source.quantize(2 * _noise(2, 16, 12, 9)),), 12)]
        values = [Rows(0, (source.dequantize(inputs[0].tensor),), 12)]
        if addend is not None:
            inputs.append(Rows(0, (addend.quantize(2 * _noise(2, 8, total, window.total(9))),), total))
            values.append(Rows(0, (addend.dequantize(inputs[1].tensor),), total))
        before = [rows.tensor.clone() for rows in inputs]
        expected, y = rounded(values, wanted), quantized(inputs, wanted)
        assert all(torch.equal(rows.tensor, tensor) for rows, tensor in zip(inputs, before, strict=True))
        if target is None:
            torch.testing.assert_close(y, expected, rtol=1e-5, atol=1e-5)
        else:
            assert y.dtype == torch.uint8
            # A number halfway between two steps may be rounded either way.
            steps = (y.int() - target.quantize(expected).int()).abs()
            assert steps.max() <= 1
            assert (steps > 0).float().mean() < 0.01


@pytest.mark.parametrize("source", PARAMS)
@pytest.mark.parametrize("wanted", [range(3), range(2, 5), range(4, 6), range(6)])
def test_rows_beyond_the_image_are_zeros_wherever_a_band_ends(source: QuantizationParams, wanted: range) -> None:
    window = Window(3, 2, 1)
    quantized = QuantizedConvolution.of(_convolution(window, relu=False, adds=False), source, None, None)
    x = source.quantize(_noise(1, 16, 11, 9))
    needed = window.needed(wanted)
    first = max(0, needed.start)
    whole = quantized([Rows(0, (x,), 11)], range(6))
    band = quantized([Rows(first, (x[:, :, first : needed.stop],), 11)], wanted)
    assert torch.equal(band, whole[:, :, wanted.start : wanted.stop])


@pytest.mark.parametrize("learned_upsampling", [False, True])
@pytest.mark.parametrize("architecture", list(Architecture))
def test_scores_are_near_those_in_floating_point(architecture: Architecture, learned_upsampling: bool) -> None:
    program, integers, _ = _programs(architecture, learned_upsampling=learned_upsampling)
    images = _noise(2, 3, 320, 96)
    (expected,), (scores,) = flow(program, images, []), flow(integers, images, [])
    assert scores.dtype == torch.float32
    difference = scores - expected
    # Some twenty values are rounded in sequence, each to a 255th of its range, which is a few standard deviations.
    assert 0 < difference.std() < 0.05 * expected.std()
    assert difference.mean().abs() < 0.02 * expected.std()
    first, second = expected.topk(2, dim=1).values.unbind(dim=1)
    sure = first - second > 0.3 * expected.std()
    assert sure.float().mean() > 0.4
    assert torch.equal(scores.argmax(dim=1)[sure], expected.argmax(dim=1)[sure])


@settings(max_examples=10)
@given(
    architecture=st.sampled_from(Architecture),
    cuts=st.lists(st.integers(1, 415), unique=True, max_size=12).map(sorted),
)
def test_scores_do_not_depend_on_where_an_image_is_cut(architecture: Architecture, cuts: list[int]) -> None:
    _, integers, _ = _programs(architecture)
    images = _noise(1, 3, 416, 64)
    (whole,) = flow(integers, images, [])
    assert torch.equal(torch.cat(flow(integers, images, cuts), dim=2), whole)


@pytest.mark.parametrize("architecture", list(Architecture))
def test_a_transposed_program_gives_the_transposed_scores(architecture: Architecture) -> None:
    _, integers, transposed = _programs(architecture, learned_upsampling=True)
    images = _noise(1, 3, 64, 320)
    (expected,) = flow(integers, images, [])
    across = images.mT.contiguous(memory_format=torch.channels_last)
    scores = torch.cat(flow(transposed, across, [32, 160]), dim=2).mT
    torch.testing.assert_close(scores, expected, rtol=0, atol=1e-4 * float(expected.std()))


def test_a_quantized_convolution_is_not_transposed() -> None:
    _, integers, _ = _programs(Architecture.FCN32S)
    with pytest.raises(NotImplementedError, match="transposed before it is quantized"):
        integers.steps[2].operation.transposed()


@pytest.mark.parametrize("wanted", [range(3), range(2, 5), range(4, 6), range(6)])
def test_the_greatest_integer_stands_for_the_greatest_number(wanted: range) -> None:
    window, params = Window(3, 2, 1), PARAMS[2]
    x = params.quantize(2 * _noise(2, 16, 12, 9))
    needed = window.needed(wanted)
    first = max(0, needed.start)
    pooled = QuantizedMaxPooling(window)([Rows(first, (x[:, :, first : needed.stop],), 12)], wanted)
    expected = MaxPooling(window)([Rows(0, (params.dequantize(x),), 12)], range(6))
    assert pooled.dtype == torch.uint8
    assert torch.equal(params.dequantize(pooled), expected[:, :, wanted.start : wanted.stop])


def test_what_is_pooled_has_the_parameters_of_what_it_is_pooled_from() -> None:
    first, second = _convolution(Window(), relu=False, adds=False), _convolution(Window(3, 1, 1), relu=True, adds=False)
    first = replace(first, weight=first.weight[:, :3])
    second = replace(second, weight=second.weight[:, :8])
    program = Program((Step(first, (0,)), Step(MaxPooling(Window(3, 2, 1)), (1,)), Step(second, (2,))))
    one, pooling, other = (step.operation for step in quantize(program, [(0, 1), (-3, 4), (-1, 4), (0, 9)]).steps)
    assert isinstance(one, QuantizedConvolution)
    assert isinstance(pooling, QuantizedMaxPooling)
    assert isinstance(other, QuantizedConvolution)
    assert one.target == other.source == QuantizationParams.covering(-3, 4)


def test_what_is_pooled_for_nobody_stays_in_floating_point() -> None:
    program = Program((Step(MaxPooling(Window(3, 2, 1)), (0,)),))
    assert quantize(program, [(0, 1), (0, 1)]) == program


@pytest.mark.parametrize("architecture", list(Architecture))
def test_all_convolutions_are_of_integers(architecture: Architecture) -> None:
    program, integers, _ = _programs(architecture)
    stem, *rest = (step.operation for step in integers.steps)
    assert isinstance(stem, Strips)
    assert isinstance(stem.first, QuantizedConvolution)
    assert isinstance(stem.second, QuantizedMaxPooling)
    # The stem and the pooling are now one operation.
    for before, after in zip(program.steps[2:], rest, strict=True):
        assert isinstance(after, QuantizedConvolution) == isinstance(before.operation, Convolution)


@pytest.mark.parametrize("architecture", list(Architecture))
def test_what_waits_takes_half_the_memory_or_less(architecture: Architecture) -> None:
    def kept(program: Program) -> int:
        stream = Stream(program, 32 * 40)
        for _ in range(39):
            stream.feed(_noise(1, 3, 32, 64))
            while stream.advance():
                stream.take()
        return stream.kept_bytes()

    program, integers, _ = _programs(architecture)
    assert 0 < kept(integers) < 0.5 * kept(program)


def test_ranges_of_another_network_are_refused() -> None:
    program, _, _ = _programs(Architecture.FCN32S)
    with pytest.raises(CheckpointError, match="ranges of 3 values for a network of 15; calibrate the checkpoint again"):
        quantize(program, [(0, 1)] * 3)
