import gc
import weakref

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from model.networks import FCN, Architecture
from model.streaming import Rows, Stream, fuse, trace_scores
from model.streaming.onednn import FusedConvolution, PointwiseConvolution, fused_convolution
from model.streaming.operations import AveragePooling, Convolution, MaxPooling
from model.streaming.rows import Enlargement, Geometry, Window
from tests.model.flow import flow
from tests.model.random_checkpoint import random_checkpoint
from tests.precisions import needs_bfloat16

GEOMETRIES: list[Geometry] = [
    Window(),
    Window(3, 1, 1),
    Window(3, 2, 1),
    Window(7, 2, 3),
    Window(11, 1, 5),
    Enlargement(2),
    Enlargement(8),
]


def _network(architecture: Architecture, *, learned_upsampling: bool = False) -> FCN:
    return random_checkpoint(architecture, learned_upsampling=learned_upsampling).build().double()


def _noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.every_cpu
@pytest.mark.parametrize("learned_upsampling", [False, True])
@pytest.mark.parametrize("architecture", list(Architecture))
def test_a_program_computes_the_networks_scores(architecture: Architecture, learned_upsampling: bool) -> None:
    network = _network(architecture, learned_upsampling=learned_upsampling)
    images = _noise(2, 3, 96, 64)
    expected = network.scores(images)
    assert expected.std() > 0.1
    (scores,) = flow(trace_scores(network), images, [])
    torch.testing.assert_close(scores, expected, rtol=0, atol=1e-10)


@settings(max_examples=20)
@given(
    architecture=st.sampled_from(Architecture),
    cuts=st.lists(st.integers(1, 799), unique=True, max_size=12).map(sorted),
    learned_upsampling=st.booleans(),
)
def test_scores_do_not_depend_on_where_an_image_is_cut(
    architecture: Architecture, cuts: list[int], learned_upsampling: bool
) -> None:
    network = _network(architecture, learned_upsampling=learned_upsampling)
    images = _noise(1, 3, 800, 32)
    program = trace_scores(network)
    parts = flow(program, images, cuts)
    torch.testing.assert_close(torch.cat(parts, dim=2), network.scores(images), rtol=0, atol=1e-10)
    assert sum(part.shape[2] for part in parts) == program.total(800)


def test_a_network_is_gone_when_its_program_was_made() -> None:
    network = random_checkpoint().build()
    reference = weakref.ref(network)
    gc.disable()
    try:
        program = trace_scores(network)
        del network
        assert program.steps
        assert reference() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("architecture", list(Architecture))
def test_a_transposed_program_gives_the_transposed_scores(architecture: Architecture) -> None:
    network = _network(architecture, learned_upsampling=True)
    images = _noise(1, 3, 64, 800)
    parts = flow(trace_scores(network).transposed(), images.mT, [32, 480])
    torch.testing.assert_close(torch.cat(parts, dim=2).mT, network.scores(images), rtol=0, atol=1e-10)


@pytest.mark.parametrize("architecture", list(Architecture))
def test_nothing_is_computed_twice(architecture: Architecture) -> None:
    network = _network(architecture)
    images = _noise(1, 3, 960, 64)
    program = trace_scores(network)

    def flops(cuts: list[int]) -> int:
        with torch.inference_mode(), FlopCounterMode(display=False) as counter:
            flow(program, images, cuts)
        return int(counter.get_total_flops())

    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        network.scores(images)
    assert flops(list(range(32, 960, 32))) == flops([]) == counter.get_total_flops()


@pytest.mark.parametrize("architecture", list(Architecture))
def test_what_a_stream_keeps_does_not_grow_with_the_image(architecture: Architecture) -> None:
    program = trace_scores(_network(architecture))

    def kept(rows: int) -> int:
        stream = Stream(program, rows)
        for _ in range(rows // 32 - 1):
            stream.feed(_noise(1, 3, 32, 64))
            while stream.advance():
                stream.take()
        return stream.kept_bytes()

    assert kept(32 * 40) == kept(32 * 80) > 0


def test_after_the_last_row_as_much_is_computed_at_a_time_as_before() -> None:
    program = trace_scores(_network(Architecture.FCN8S_CONTEXT))
    for rows in (1600, 1568):  # the last band may have fewer
        parts = flow(program, _noise(1, 3, rows, 32), list(range(64, rows, 64)))
        assert {part.shape[2] for part in parts[1:-1]} == {64 // 8}
        assert sum(part.shape[2] for part in parts) == rows // 8


@given(
    geometry=st.sampled_from(GEOMETRIES), rows=st.integers(16, 200), first=st.integers(0, 400), length=st.integers(1, 9)
)
def test_rows_are_ready_once_what_they_need_is_there(geometry: Geometry, rows: int, first: int, length: int) -> None:
    total = geometry.total(rows)
    wanted = range(min(first, total - 1), min(first + length, total))
    needed = geometry.needed(wanted)
    assert geometry.ready(needed.stop) >= wanted.stop
    assert geometry.ready(needed.stop - 1) < wanted.stop


@pytest.mark.parametrize("wanted", [range(1), range(4), range(3, 5), range(7, 8), range(8)])
def test_a_pool_is_cut_off_at_the_images_border_like_torchs(wanted: range) -> None:
    x = _noise(1, 2, 8, 9) - 5  # all negative: a maximum of padding by zeros would show
    window = Window(5, 1, 2)
    needed = window.needed(wanted)
    first, stop = max(0, needed.start), min(8, needed.stop)
    rows = [Rows(first, (x[:, :, first:stop],), 8)]
    mean = functional.avg_pool2d(x, 5, 1, 2, count_include_pad=False)[:, :, wanted.start : wanted.stop]
    torch.testing.assert_close(AveragePooling(window)(rows, wanted), mean, rtol=0, atol=1e-12)
    greatest = functional.max_pool2d(x, 5, 1, 2)[:, :, wanted.start : wanted.stop]
    torch.testing.assert_close(MaxPooling(window)(rows, wanted), greatest, rtol=0, atol=0)


@pytest.mark.parametrize("architecture", list(Architecture))
def test_batch_norm_and_relu_are_part_of_the_convolutions(architecture: Architecture) -> None:
    network = _network(architecture)
    operations = [step.operation for step in trace_scores(network).steps]
    convolutions = [operation for operation in operations if isinstance(operation, Convolution)]
    assert len(convolutions) == sum(isinstance(module, nn.Conv2d) for module in network.modules())
    # Each basic block ends with the sum of its input and its second convolution.
    assert sum(convolution.adds for convolution in convolutions) >= 4


@pytest.mark.parametrize("dtype", [torch.float32, pytest.param(torch.bfloat16, marks=needs_bfloat16)])
@pytest.mark.parametrize("architecture", list(Architecture))
@pytest.mark.every_cpu
def test_fused_convolutions_compute_what_torchs_do(architecture: Architecture, dtype: torch.dtype) -> None:
    network = _network(architecture).to(dtype)
    images = _noise(1, 3, 320, 96).to(dtype).contiguous(memory_format=torch.channels_last)
    program = trace_scores(network)
    fused = fuse(program)
    assert any(isinstance(step.operation, FusedConvolution) for step in fused.steps)
    cuts = list(range(32, 320, 32))
    with torch.inference_mode():
        expected = torch.cat(flow(program, images, cuts), dim=2)
        scores = torch.cat(flow(fused, images, cuts), dim=2)
    rounding = 1e-5 if dtype is torch.float32 else 0.05
    torch.testing.assert_close(scores, expected, rtol=rounding, atol=rounding * float(expected.std()))


@needs_bfloat16
@pytest.mark.parametrize("architecture", list(Architecture))
def test_bfloat16_does_not_depend_on_where_an_image_is_cut(architecture: Architecture) -> None:
    program = fuse(trace_scores(_network(architecture).bfloat16()))
    assert any(isinstance(step.operation, PointwiseConvolution) for step in program.steps)
    images = _noise(2, 3, 640, 160).bfloat16().contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        (whole,) = flow(program, images, [])
        bands = torch.cat(flow(program, images, [96, 192, 288, 384, 480, 576]), dim=2)
    assert torch.equal(bands, whole)


@needs_bfloat16
@pytest.mark.parametrize("stride", [1, 2])
def test_a_product_is_the_convolution_of_size_1(stride: int) -> None:
    weight, bias = _noise(64, 32, 1, 1).bfloat16(), _noise(64, 1, 1, 1).flatten().bfloat16()
    convolution = Convolution(weight, bias, Window(1, stride), relu=True)
    product = fused_convolution(convolution)
    assert isinstance(product, PointwiseConvolution)
    images = _noise(2, 32, 31, 45).bfloat16().contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        rows, wanted = [Rows(0, (images,), 31)], range(convolution.window.total(31))
        torch.testing.assert_close(product(rows, wanted), convolution(rows, wanted), rtol=0.02, atol=0.02)


def test_double_precision_is_left_to_torch() -> None:
    program = trace_scores(_network(Architecture.FCN8S))
    assert fuse(program) == program


def test_a_layer_that_no_operation_stands_for_is_named() -> None:
    network = _network(Architecture.FCN32S)
    network.backbone.relu = nn.Sigmoid()  # type: ignore[assignment]
    with pytest.raises(NotImplementedError, match="no operation stands for Sigmoid"):
        trace_scores(network)
