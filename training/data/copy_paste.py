"""Objects of one image, pasted into another.

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
        donor: the crop that they are taken from; background and unknown pixels are not.
        onto: the crop that they cover.
        random: chooses among the donor's classes.

    Returns:
        a crop whose mask and soft labels agree with what is seen; ``onto`` if the donor shows nothing but background.
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
