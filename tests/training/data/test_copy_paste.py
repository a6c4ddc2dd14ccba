import numpy as np
import torch

from training.data.copy_paste import paste_class
from training.data.transforms import Crop


def _crop(mask: torch.Tensor, red: int, taught: int | None = None) -> Crop:
    soft_labels = torch.zeros(21, 2, 2)
    if taught is not None:
        soft_labels[taught] = 1
    return Crop(torch.full((3, 8, 8), red, dtype=torch.uint8), mask.to(torch.uint8), soft_labels)


def _classes(crop: Crop) -> set[int]:
    return set(np.unique(crop.mask.numpy()).tolist())


def _donor() -> Crop:
    mask = torch.zeros(8, 8)
    mask[:4, :4] = 7
    mask[:4, 4:6] = 7
    mask[7] = 255
    return _crop(mask, 200)


def test_the_pixels_of_the_class_cover_image_mask_and_soft_labels() -> None:
    onto = _crop(torch.full((8, 8), 3), 50, taught=3)
    result = paste_class(_donor(), onto, np.random.default_rng(0))
    pasted = torch.zeros(8, 8, dtype=torch.bool)
    pasted[:4, :6] = True
    assert torch.equal(result.mask == 7, pasted)
    assert torch.equal(result.mask == 3, ~pasted)
    assert torch.equal(result.image[0] == 200, pasted)
    assert torch.equal(result.image[2] == 50, ~pasted)
    torch.testing.assert_close(result.soft_labels[7], torch.tensor([[1, 0.5], [0, 0]]))
    torch.testing.assert_close(result.soft_labels[3], torch.tensor([[0, 0.5], [1, 1]]))


def test_an_image_without_a_mask_learns_what_is_pasted() -> None:
    onto = _crop(torch.full((8, 8), 255), 50)
    result = paste_class(_donor(), onto, np.random.default_rng(0))
    assert _classes(result) == {7, 255}
    torch.testing.assert_close(result.soft_labels.sum(dim=0), torch.tensor([[1, 0.5], [0, 0]]))


def test_background_and_void_are_not_pasted() -> None:
    mask = torch.zeros(8, 8)
    mask[0] = 255
    onto = _crop(torch.full((8, 8), 3), 50, taught=3)
    assert paste_class(_crop(mask, 200), onto, np.random.default_rng(0)) is onto


def test_one_of_several_classes_is_chosen_and_each_in_its_turn() -> None:
    mask = torch.zeros(8, 8)
    mask[0], mask[1] = 4, 9
    onto = _crop(torch.full((8, 8), 3), 50)
    chosen = [_classes(paste_class(_crop(mask, 200), onto, np.random.default_rng(seed))) for seed in range(20)]
    assert {3, 4} in chosen
    assert {3, 9} in chosen
    assert {3, 4, 9} not in chosen
