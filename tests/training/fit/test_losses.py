import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from model.labels import IGNORE_INDEX
from model.upsampling import BilinearUpsampling
from training.fit.losses import distillation_losses, hard_example_losses, lovasz_loss, pixel_losses, sampled_logits


def _random(*size: int, seed: int = 0) -> Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(seed))


def test_pixel_losses_by_hand_and_nothing_for_void() -> None:
    logits = torch.tensor([[0.0, math.log(3)], [0.0, 0.0]]).reshape(1, 2, 1, 2).repeat(1, 1, 2, 1)
    masks = torch.tensor([[[0, 0], [IGNORE_INDEX, 1]]])
    losses = pixel_losses(logits, masks)
    expected = torch.tensor([[[math.log(2), math.log(4 / 3)], [0, math.log(4)]]])
    torch.testing.assert_close(losses, expected)


def test_void_pixels_have_no_gradient() -> None:
    logits = _random(2, 3, 4, 5).requires_grad_()
    masks = torch.randint(0, 3, (2, 4, 5), generator=torch.Generator().manual_seed(1))
    masks[0, :2] = IGNORE_INDEX
    pixel_losses(logits, masks).sum().backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    silent = (logits.grad == 0).all(dim=1)
    assert torch.equal(silent, masks == IGNORE_INDEX)


@pytest.mark.parametrize(
    ("share", "kept"), [(0.5, [5.0, 4.0, 3.0]), (1.0, [5.0, 4.0, 3.0, 2.0, 1.0, 0.5]), (0.01, [5.0]), (0.3, [5.0, 4.0])]
)
def test_the_hardest_pixels_by_hand(share: float, kept: list[float]) -> None:
    losses = torch.tensor([[[1.0, 5.0, 9.0, 2.0], [3.0, 8.0, 4.0, 0.5]]])
    known = torch.tensor([[[True, True, False, True], [True, False, True, True]]])
    assert sorted(hard_example_losses(losses, known, share).tolist(), reverse=True) == kept


def test_where_nothing_is_known_nothing_is_hard() -> None:
    losses = torch.ones(1, 2, 2)
    assert hard_example_losses(losses, torch.zeros(1, 2, 2, dtype=torch.bool), 0.5).shape == (0,)


def test_distillation_losses_by_hand() -> None:
    scores = torch.tensor([[0.0, math.log(3)], [0.0, 0.0]]).reshape(1, 2, 1, 2)
    soft_labels = torch.tensor([[0.5, 0.25], [0.5, 0.75]]).reshape(1, 2, 1, 2)
    expected = [math.log(2), 0.25 * math.log(4 / 3) + 0.75 * math.log(4)]
    torch.testing.assert_close(distillation_losses(scores, soft_labels), torch.tensor([[expected]]))


def test_without_a_teacher_distillation_costs_and_teaches_nothing() -> None:
    scores = _random(1, 3, 2, 2).requires_grad_()
    soft_labels = torch.zeros(1, 3, 2, 2)
    soft_labels[:, :, 0] = 1 / 3
    losses = distillation_losses(scores, soft_labels)
    assert (losses[0, 0] > 0).all()
    assert torch.equal(losses[0, 1], torch.zeros(2))
    losses.sum().backward()  # type: ignore[no-untyped-call]
    assert scores.grad is not None
    assert scores.grad[:, :, 0].abs().min() > 0
    assert not scores.grad[:, :, 1].any()


def test_distillation_is_least_where_the_network_agrees() -> None:
    scores = _random(1, 5, 2, 3).requires_grad_()
    losses = distillation_losses(scores, scores.detach().softmax(dim=1))
    (gradient,) = torch.autograd.grad(losses.sum(), scores)
    torch.testing.assert_close(gradient, torch.zeros_like(gradient), atol=1e-6, rtol=0)
    other = distillation_losses(_random(1, 5, 2, 3, seed=1), scores.detach().softmax(dim=1))
    assert (other > losses).all()


@settings(max_examples=60)
@given(pixels=st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0, 1, 2, 3, IGNORE_INDEX])), min_size=1))
def test_for_certain_predictions_the_lovasz_loss_is_one_minus_the_mean_iou(pixels: list[tuple[int, int]]) -> None:
    predicted, masks = (torch.tensor(values).reshape(1, 1, -1) for values in zip(*pixels, strict=True))
    logits = 1000 * functional.one_hot(predicted, 4).movedim(3, 1).double()
    known = masks != IGNORE_INDEX
    losses = []
    for index in set(masks[known].tolist()):
        is_predicted, is_true = (predicted == index) & known, masks == index
        losses.append(1 - (is_predicted & is_true).sum() / (is_predicted | is_true).sum())
    expected = torch.stack(losses).mean() if losses else torch.zeros(())
    torch.testing.assert_close(lovasz_loss(logits, masks), expected.double())


def test_the_lovasz_loss_falls_along_its_gradient_and_void_has_none() -> None:
    logits = _random(2, 3, 4, 5).requires_grad_()
    masks = torch.randint(0, 3, (2, 4, 5), generator=torch.Generator().manual_seed(1))
    masks[0, :2] = IGNORE_INDEX
    loss = lovasz_loss(logits, masks)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert 0 < lovasz_loss(logits.detach() - gradient, masks) < loss < 1
    assert torch.equal((gradient == 0).all(dim=1), masks == IGNORE_INDEX)
    nothing = lovasz_loss(logits, torch.full_like(masks, IGNORE_INDEX))
    (gradient,) = torch.autograd.grad(nothing, logits)
    assert nothing == 0
    assert not gradient.any()


@settings(max_examples=60)
@given(
    height=st.integers(1, 7),
    width=st.integers(1, 7),
    factor=st.sampled_from([2, 8, 16, 32]),
    stride=st.integers(1, 9),
    data=st.data(),
)
def test_sampled_logits_are_pixels_of_the_upsampling(
    height: int, width: int, factor: int, stride: int, data: st.DataObject
) -> None:
    top, left = (data.draw(st.integers(0, stride - 1), label=name) for name in ("top", "left"))
    scores = _random(2, 3, height, width, seed=height)
    expected = BilinearUpsampling(3, factor)(scores)[..., top::stride, left::stride]
    sampled = sampled_logits(scores, factor, stride, top, left)
    assert sampled.shape == expected.shape
    torch.testing.assert_close(sampled, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("stride", [2, 4])
def test_over_all_first_pixels_loss_and_gradient_are_those_of_all_pixels(stride: int) -> None:
    scores = _random(2, 3, 2, 3).double().requires_grad_()
    masks = torch.randint(0, 3, (2, 16, 24), generator=torch.Generator().manual_seed(1))
    full = pixel_losses(sampled_logits(scores, 8, 1, 0, 0), masks).mean()
    (full_gradient,) = torch.autograd.grad(full, scores)
    losses, gradients = [], []
    for top in range(stride):
        for left in range(stride):
            logits = sampled_logits(scores, 8, stride, top, left)
            loss = pixel_losses(logits, masks[:, top::stride, left::stride]).mean()
            losses.append(loss.detach())
            gradients.append(torch.autograd.grad(loss, scores)[0])
    assert torch.stack(losses).std() > 0
    torch.testing.assert_close(torch.stack(losses).mean(), full.detach())
    torch.testing.assert_close(torch.stack(gradients).mean(dim=0), full_gradient)
