"""Copy-paste augmentation: objects of one image are pasted into another.

Source: Ghiasi et al. 2021 (arXiv:2012.07177), with all pixels of a class instead of single objects.
"""

import numpy as np
import torch
from torch.nn import functional

from model.labels import BACKGROUND, IGNORE_INDEX
from training.data.transforms import Crop


def paste_class(donor: Crop, onto: Crop, random: np.random.Generator) -> Crop:
    """Paste the pixels of one class of a crop over another of the same size.

    Args:
        donor: crop to copy from; background and unknown pixels are never copied.
        onto: crop to paste into.
        random: generator for the choice among the donor's classes.

    Returns:
        A crop with image, mask and soft labels pasted alike; ``onto`` if the donor shows only background.
    """
    classes = [index for index in np.unique(donor.mask.numpy()).tolist() if index not in {BACKGROUND, IGNORE_INDEX}]
    if not classes:
        return onto
    chosen = int(random.choice(classes))
    pasted = donor.mask == chosen
    stride = pasted.shape[-1] // onto.soft_labels.shape[-1]
    share = functional.avg_pool2d(pasted.float()[None], stride)
    soft_labels = onto.soft_labels * (1 - share)
    soft_labels[chosen] += share[0]
    return Crop(torch.where(pasted, donor.image, onto.image), torch.where(pasted, donor.mask, onto.mask), soft_labels)
