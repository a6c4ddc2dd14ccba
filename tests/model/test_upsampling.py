import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch.nn import functional

from model.upsampling import BilinearUpsampling, LearnedUpsampling, bilinear_kernel
from model.upsampling import argmax as argmax_module
from model.upsampling.argmax import winning_classes
from model.upsampling.reference import convolution_matrix, transposed_convolution


def test_bilinear_kernel_of_size_four() -> None:
    expected = torch.tensor([[1, 3, 3, 1], [3, 9, 9, 3], [3, 9, 9, 3], [1, 3, 3, 1]]) / 16
    assert torch.equal(bilinear_kernel(1, 1, 4)[0, 0], expected)


def test_bilinear_kernel_of_size_three() -> None:
    expected = torch.tensor([[1, 2, 1], [2, 4, 2], [1, 2, 1]]) / 4
    assert torch.equal(bilinear_kernel(1, 1, 3)[0, 0], expected)


@pytest.mark.parametrize(("in_channels", "out_channels"), [(1, 1), (3, 3), (2, 5), (5, 2)])
def test_bilinear_kernel_joins_each_channel_to_its_own(in_channels: int, out_channels: int) -> None:
    kernel = bilinear_kernel(in_channels, out_channels, 4, torch.float64)
    assert kernel.shape == (in_channels, out_channels, 4, 4)
    assert kernel.dtype == torch.float64
    one = bilinear_kernel(1, 1, 4, torch.float64)[0, 0]
    for source in range(in_channels):
        for target in range(out_channels):
            assert torch.equal(kernel[source, target], one if source == target else torch.zeros_like(one))


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("kernel_size", [(5, 5), (6, 7)])
@pytest.mark.parametrize("channels", [(1, 1), (2, 3)])
def test_transposed_convolution_by_definition_is_torchs(
    stride: int, padding: int, kernel_size: tuple[int, int], channels: tuple[int, int]
) -> None:
    random = torch.Generator().manual_seed(0)
    x = torch.randn(channels[0], 3, 4, generator=random, dtype=torch.float64)
    kernel = torch.randn(*channels, *kernel_size, generator=random, dtype=torch.float64)
    expected = functional.conv_transpose2d(x[None], kernel, stride=stride, padding=padding)[0]
    torch.testing.assert_close(transposed_convolution(x, kernel, stride, padding), expected, rtol=0, atol=1e-12)


def test_transposed_convolution_of_the_books_example() -> None:
    x = torch.tensor([[[0.0, 1.0], [2.0, 3.0]]])
    assert torch.equal(
        transposed_convolution(x, x[None]), torch.tensor([[[0.0, 0.0, 1.0], [0.0, 4.0, 6.0], [4.0, 12.0, 9.0]]])
    )
    assert torch.equal(transposed_convolution(x, x[None], padding=1), torch.tensor([[[4.0]]]))


@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (1, 1), (2, 0), (2, 1)])
def test_the_convolutions_matrix_convolves_and_its_transpose_goes_back(stride: int, padding: int) -> None:
    random = torch.Generator().manual_seed(1)
    kernel = torch.randn(3, 2, generator=random, dtype=torch.float64)
    # The last stride of a convolution may leave pixels over; these sizes leave none, so the shapes invert exactly.
    height, width = 7, 6
    image = torch.randn(height, width, generator=random, dtype=torch.float64)
    matrix = convolution_matrix(kernel, height, width, stride, padding)
    convolved = functional.conv2d(image[None, None], kernel[None, None], stride=stride, padding=padding)[0, 0]
    torch.testing.assert_close(matrix @ image.flatten(), convolved.flatten(), rtol=0, atol=1e-12)
    scores = torch.randn(convolved.shape, generator=random, dtype=torch.float64)
    spread = functional.conv_transpose2d(scores[None, None], kernel[None, None], stride=stride, padding=padding)[0, 0]
    assert spread.shape == image.shape
    torch.testing.assert_close(matrix.T @ scores.flatten(), spread.flatten(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("factor", [2, 8, 16, 32])
@pytest.mark.parametrize("grid", [(1, 1), (1, 4), (3, 2)])
def test_fixed_upsampling_is_the_dense_transposed_convolution(factor: int, grid: tuple[int, int]) -> None:
    scores = torch.randn(2, 3, *grid, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    kernel = bilinear_kernel(3, 3, 2 * factor, torch.float64)
    expected = functional.conv_transpose2d(scores, kernel, stride=factor, padding=factor // 2)
    upsampled = BilinearUpsampling(3, factor)(scores)
    assert upsampled.shape == (2, 3, grid[0] * factor, grid[1] * factor)
    torch.testing.assert_close(upsampled, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("factor", [2, 8, 16, 32])
@pytest.mark.parametrize("grid", [(1, 1), (1, 4), (3, 2)])
def test_learned_upsampling_is_the_dense_transposed_convolution(factor: int, grid: tuple[int, int]) -> None:
    random = torch.Generator().manual_seed(3)
    scores = torch.randn(2, 3, *grid, generator=random, dtype=torch.float64)
    layer = LearnedUpsampling(3, factor).double()
    with torch.no_grad():
        layer.weight.copy_(torch.randn(layer.weight.shape, generator=random, dtype=torch.float64))
        layer.bias.copy_(torch.randn(3, generator=random, dtype=torch.float64))
    expected = functional.conv_transpose2d(scores, layer.weight, layer.bias, stride=factor, padding=factor // 2)
    upsampled = layer(scores)
    assert upsampled.shape == (2, 3, grid[0] * factor, grid[1] * factor)
    torch.testing.assert_close(upsampled, expected, rtol=0, atol=1e-12)


def test_gradients_reach_the_learned_kernel_as_in_the_dense_form() -> None:
    random = torch.Generator().manual_seed(5)
    scores = torch.randn(1, 2, 3, 3, generator=random, dtype=torch.float64)
    layer = LearnedUpsampling(2, 4).double()
    dense = layer.weight.detach().clone().requires_grad_()
    shares = torch.randn(1, 2, 12, 12, generator=random, dtype=torch.float64)
    (layer(scores) * shares).sum().backward()
    expected = functional.conv_transpose2d(scores, dense, stride=4, padding=2)
    (expected * shares).sum().backward()  # type: ignore[no-untyped-call]
    assert layer.weight.grad is not None
    assert dense.grad is not None
    assert dense.grad.abs().max() > 0
    torch.testing.assert_close(layer.weight.grad, dense.grad, rtol=0, atol=1e-12)


@pytest.mark.parametrize("factor", [-2, 0, 1, 3])
def test_an_odd_factor_is_refused(factor: int) -> None:
    with pytest.raises(ValueError, match=f"even, not {factor}"):
        BilinearUpsampling(2, factor)


def test_a_photograph_doubled_is_torchs_bilinear_interpolation_inside_the_border(cat: NDArray[np.uint8]) -> None:
    photograph = torch.from_numpy(cat).permute(2, 0, 1)[None].double() / 255
    doubled = BilinearUpsampling(3, 2)(photograph)
    expected = functional.interpolate(photograph, scale_factor=2, mode="bilinear", align_corners=False)
    assert doubled.shape == expected.shape
    torch.testing.assert_close(doubled[..., 1:-1, 1:-1], expected[..., 1:-1, 1:-1], rtol=0, atol=1e-12)
    # Beyond the border a transposed convolution sees zeros, so the frame is darker there.
    assert (doubled[..., 0, :] < expected[..., 0, :]).any()


@settings(max_examples=25)
@given(
    num_classes=st.integers(1, 6),
    height=st.integers(1, 7),
    width=st.integers(1, 7),
    factor=st.sampled_from([2, 4, 8, 32]),
    smoothness=st.sampled_from([1, 2, 4]),
    seed=st.integers(0, 1000),
    batch=st.integers(1, 3),
)
def test_winning_classes_are_those_of_the_upsampled_scores(
    batch: int, num_classes: int, height: int, width: int, factor: int, smoothness: int, seed: int
) -> None:
    coarse = torch.randn(
        batch,
        num_classes,
        -(-height // smoothness),
        -(-width // smoothness),
        generator=torch.Generator().manual_seed(seed),
        dtype=torch.float64,
    )
    scores = functional.interpolate(coarse, scale_factor=smoothness, mode="bilinear", align_corners=False)
    scores = scores[:, :, :height, :width]
    expected = BilinearUpsampling(num_classes, factor)(scores).argmax(dim=1)
    winning = winning_classes(scores, factor)
    assert winning.dtype == torch.uint8
    assert torch.equal(winning, expected.to(torch.uint8))


def test_winning_classes_of_large_uniform_areas_with_a_border_between() -> None:
    random = torch.Generator().manual_seed(6)
    scores = torch.rand(1, 5, 12, 16, generator=random, dtype=torch.float64)
    scores[0, 1, :, :7] += 10
    scores[0, 4, :5, 7:] += 10
    scores[0, 2, 5:, 7:] += 10
    winning = winning_classes(scores, 8)
    assert torch.equal(winning, BilinearUpsampling(5, 8)(scores).argmax(dim=1).to(torch.uint8))
    assert set(winning.flatten().tolist()) == {1, 2, 4}
    assert (winning[0, :, :40] == 1).all()


def test_winning_classes_do_not_depend_on_how_many_squares_are_done_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = torch.randn(2, 4, 6, 5, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    at_once = winning_classes(scores, 4)
    monkeypatch.setattr(argmax_module, "_MAX_INTERPOLATED", 3 * 16)
    assert torch.equal(winning_classes(scores, 4), at_once)
