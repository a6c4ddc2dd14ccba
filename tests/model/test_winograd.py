"""Our own Winograd kernel, for each instruction set that this CPU has."""

import ctypes
from collections.abc import Sequence
from importlib.util import find_spec
from itertools import accumulate
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from model.kernels import winograd
from model.networks import Architecture
from model.segmenter import Segmenter
from model.streaming import Program, Step, trace_scores
from model.streaming.operations import Convolution
from model.streaming.rows import Window
from model.streaming.winograd import WinogradConvolution, winograd_convolution
from tests.model.flow import flow
from tests.model.random_checkpoint import random_checkpoint

pytestmark = pytest.mark.every_cpu

_CAPABILITIES = ("DEFAULT", "AVX2", "AVX512")
"""PyTorch's names of instruction sets; each includes those before it."""

_WINDOW = Window(3, 1, 1)


def _noise(*shape: int, seed: int = 0) -> Tensor:
    noise = torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
    return noise.contiguous(memory_format=torch.channels_last) if len(shape) == 4 else noise


@pytest.fixture(params=_CAPABILITIES)
def kernels(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ctypes.CDLL:
    """The compiled library for an instruction set."""
    own = torch.backends.cpu.get_cpu_capability()
    capability: str = request.param
    if own not in _CAPABILITIES and capability != "DEFAULT":
        pytest.skip(f"the CPU has {own}")
    if own in _CAPABILITIES and _CAPABILITIES.index(capability) > _CAPABILITIES.index(own):
        pytest.skip(f"the CPU, or ATEN_CPU_CAPABILITY, ends with {own}")
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    library = winograd.library.__wrapped__()
    assert library is not None, "the kernels were not compiled: is there a C compiler?"
    return library


def _convolve(
    kernels: ctypes.CDLL, x: Tensor, weight: Tensor, bias: Tensor, addend: Tensor | None, *, relu: bool = False
) -> Tensor:
    """Convolve a whole image, with a row of zeros above and below."""
    transformed = winograd.transform_weight(kernels, weight)
    addends = () if addend is None else (addend,)
    return winograd.convolve(kernels, (x,), transformed, bias, addends, relu=relu, padding_above=1, out_rows=x.shape[2])


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("adds", [False, True])
@pytest.mark.parametrize(
    ("batch", "rows", "columns"), [(1, 1, 1), (1, 4, 4), (2, 3, 5), (1, 12, 16), (3, 17, 22), (1, 96, 1), (1, 1, 130)]
)
def test_the_convolution_is_torchs(
    kernels: ctypes.CDLL, batch: int, rows: int, columns: int, *, adds: bool, relu: bool
) -> None:
    x, weight, bias = _noise(batch, 64, rows, columns), _noise(96, 64, 3, 3, seed=1) / 24, _noise(96, seed=2)
    addend = _noise(batch, 96, rows, columns, seed=3) if adds else None
    expected = functional.conv2d(x.double(), weight.double(), bias.double(), padding=1)
    if addend is not None:
        expected += addend
    y = _convolve(kernels, x, weight, bias, addend, relu=relu)
    torch.testing.assert_close(y.double(), expected.relu() if relu else expected, rtol=0, atol=5e-5)


def test_rows_of_other_images_and_layouts_are_read_as_they_lie(kernels: ctypes.CDLL) -> None:
    weight, bias = _noise(64, 32, 3, 3, seed=1) / 17, _noise(64, seed=2)
    whole, addends = _noise(2, 32, 40, 24), _noise(2, 64, 50, 24, seed=3)
    expected = _convolve(kernels, whole[:, :, 5:25].clone(), weight, bias, addends[:, :, 9:29].clone())
    assert torch.equal(_convolve(kernels, whole[:, :, 5:25], weight, bias, addends[:, :, 9:29]), expected)
    assert torch.equal(_convolve(kernels, whole[:, :, 5:25].contiguous(), weight, bias, addends[:, :, 9:29]), expected)


@given(
    heights=st.lists(st.integers(0, 14), min_size=1, max_size=3).filter(any),
    addend_heights=st.lists(st.integers(0, 14), min_size=2, max_size=2).filter(any),
)
@settings(max_examples=30)
def test_rows_may_lie_in_several_tensors(kernels: ctypes.CDLL, heights: list[int], addend_heights: list[int]) -> None:
    weight, bias = _noise(64, 32, 3, 3, seed=1) / 17, _noise(64, seed=2)
    transformed = winograd.transform_weight(kernels, weight)
    x, addend = _noise(2, 32, sum(heights), 11), _noise(2, 64, sum(addend_heights), 11, seed=3)
    out_rows = addend.shape[2]

    def convolve(x: Sequence[Tensor], addend: Sequence[Tensor]) -> Tensor:
        return winograd.convolve(kernels, x, transformed, bias, addend, relu=False, padding_above=2, out_rows=out_rows)

    x_cuts, addend_cuts = list(accumulate(heights[:-1])), addend_heights[:1]
    in_parts = convolve(x.tensor_split(x_cuts, dim=2), addend.tensor_split(addend_cuts, dim=2))
    assert torch.equal(in_parts, convolve([x], [addend]))


def test_neither_threads_nor_the_rest_of_the_batch_change_a_bit(kernels: ctypes.CDLL) -> None:
    x, weight, bias = _noise(3, 128, 26, 37), _noise(128, 128, 3, 3, seed=1), _noise(128, seed=2)
    expected = _convolve(kernels, x, weight, bias, None)
    threads = torch.get_num_threads()
    try:
        for count in (1, 2, 3, 7):
            torch.set_num_threads(count)
            assert torch.equal(_convolve(kernels, x, weight, bias, None), expected)
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(_convolve(kernels, x[1:2], weight, bias, None), expected[1:2])


def test_what_is_not_a_number_is_not_hidden_by_the_relu(kernels: ctypes.CDLL) -> None:
    x = _noise(1, 32, 8, 8)
    x[0, 3, 2, 2] = float("nan")
    y = _convolve(kernels, x, _noise(32, 32, 3, 3, seed=1), _noise(32, seed=2), None, relu=True)
    assert y[0, :, 1:4, 1:4].isnan().all()


@given(
    rows=st.integers(1, 60),
    columns=st.integers(1, 40),
    cuts=st.lists(st.integers(1, 59), unique=True),
    adds=st.booleans(),
)
@settings(max_examples=40)
def test_bands_equal_the_whole_bit_for_bit(rows: int, columns: int, cuts: list[int], *, adds: bool) -> None:
    convolution = Convolution(_noise(64, 64, 3, 3, seed=1), _noise(64, seed=2), _WINDOW, relu=True)
    residual = Convolution(_noise(64, 64, 3, 3, seed=4), _noise(64, seed=5), _WINDOW, relu=True, adds=adds)
    fused = [winograd_convolution(one) for one in (convolution, residual)]
    assert all(isinstance(one, WinogradConvolution) for one in fused)
    first, second = fused
    assert first is not None
    assert second is not None
    program = Program((Step(first, (0,)), Step(second, (1, 0) if adds else (1,))))
    x = _noise(1, 64, rows, columns)
    (whole,) = flow(program, x, [])
    bands = flow(program, x, sorted(cut for cut in cuts if cut < rows))
    assert torch.equal(torch.cat(bands, dim=2), whole)


def test_of_transposed_kernels_the_output_is_transposed(kernels: ctypes.CDLL) -> None:
    x, weight, bias = _noise(2, 64, 13, 22), _noise(96, 64, 3, 3, seed=1) / 24, _noise(96, seed=2)
    transformed = winograd.transform_weight(kernels, weight)
    y = winograd.convolve(
        kernels, (x.mT,), transformed, bias, (), relu=False, padding_above=1, out_rows=22, is_transposed=True
    )
    torch.testing.assert_close(y.mT, _convolve(kernels, x, weight, bias, None), rtol=0, atol=5e-5)


def test_a_network_and_its_transpose_share_what_is_transformed() -> None:
    segmenter = Segmenter(random_checkpoint(Architecture.FCN8S_CONTEXT, width=64), "cpu")
    program, transposed = segmenter._program, segmenter._transposed_program
    images = _noise(1, 3, 64, 160)
    with torch.inference_mode():
        (scores,), (across,) = flow(program, images, []), flow(transposed, images.mT, [])
    torch.testing.assert_close(across.mT, scores, rtol=1e-5, atol=1e-5 * float(scores.std()))
    own, shared = _transformed(program), _transformed(transposed)
    assert [weight.data_ptr() for weight in own] == [weight.data_ptr() for weight in shared] != []


def _transformed(program: Program) -> list[Tensor]:
    operations = (step.operation for step in program.steps)
    return [operation.weight for operation in operations if isinstance(operation, WinogradConvolution)]


@pytest.mark.parametrize(
    "convolution",
    [
        Convolution(_noise(64, 64, 1, 1), _noise(64), Window()),
        Convolution(_noise(64, 64, 3, 3), _noise(64), Window(3, 2, 1)),
        Convolution(_noise(64, 64, 3, 3), _noise(64), Window(3, 1, 0)),
        Convolution(_noise(21, 64, 3, 3), _noise(21), _WINDOW),
        Convolution(_noise(64, 3, 3, 3), _noise(64), _WINDOW),
        Convolution(_noise(64, 64, 3, 3).double(), _noise(64).double(), _WINDOW),
        Convolution(_noise(64, 64, 3, 3).bfloat16(), _noise(64).bfloat16(), _WINDOW),
    ],
)
def test_other_convolutions_are_left_alone(convolution: Convolution) -> None:
    assert winograd_convolution(convolution) is None


def test_all_of_a_networks_3x3_convolutions_of_stride_1_are_computed_so() -> None:
    program = trace_scores(random_checkpoint(Architecture.FCN8S_CONTEXT, width=64).build())
    convolutions = [step.operation for step in program.steps if isinstance(step.operation, Convolution)]
    fast = [convolution for convolution in convolutions if winograd_convolution(convolution) is not None]
    assert len(fast) == sum(convolution.window == _WINDOW for convolution in convolutions) > 0


def test_without_a_compiler_there_is_no_kernel_and_the_log_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(
        winograd, "find_spec", lambda name: None if name.startswith("model.kernels") else find_spec(name)
    )
    assert winograd.library.__wrapped__() is None
    assert "without a C compiler" in caplog.text


def test_of_kernels_that_were_compiled_from_another_source_there_is_no_use(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(winograd, "_Convolution", ctypes.c_ssize_t)
    assert winograd.library.__wrapped__() is None
    assert "another version" in caplog.text


def test_without_pytorchs_own_threads_there_is_no_kernel(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(winograd, "_parallel", lambda: None)
    assert winograd.library.__wrapped__() is None
    assert "OpenMP" in caplog.text


def test_a_lack_of_memory_is_an_error() -> None:
    without_memory = SimpleNamespace(winograd_convolve=lambda *_: 1)
    x, weight = _noise(1, 32, 8, 8), _noise(1, 36, 32, 32)
    with pytest.raises(MemoryError, match="transforms of a convolution"):
        winograd.convolve(without_memory, (x,), weight, _noise(32), (), relu=False, padding_above=1, out_rows=8)  # type: ignore[arg-type]
