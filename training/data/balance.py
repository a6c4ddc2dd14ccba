"""Chances of samples, so that rare classes are seen more often."""

import numpy as np
from numpy.typing import NDArray


def image_balancing_weights(shows: NDArray[np.bool_], balance: float) -> NDArray[np.float64]:
    """Chances that favour samples of classes that few samples show.

    Args:
        shows: (N, K), whether a sample shows a class.
        balance: 0 gives all samples the same chance; 1 chances in inverse proportion to the number of samples that show
            the sample's rarest class.

    Returns:
        (N,) float64, of sum 1.
    """
    frequency = shows.sum(axis=0)
    rarest = np.where(shows, frequency, len(shows)).min(axis=1)
    weights = rarest.astype(np.float64) ** -balance
    return np.asarray(weights / weights.sum())


def pixel_balancing_weights(pixels: NDArray[np.int64], balance: float) -> NDArray[np.float64]:
    """Chances that favour samples in which classes of few pixels have many.

    Args:
        pixels: (N, K), pixels of each class.
        balance: 0 gives all samples the same chance; at 1 a pixel counts in inverse proportion to the share of its
            class in all pixels, and a sample is as likely as its pixels count in the mean.

    Returns:
        (N,) float64, of sum 1; samples without a known pixel have the mean chance of the others.
    """
    known = pixels.sum(axis=1)
    frequency = pixels.sum(axis=0) / max(1, known.sum())
    value = np.where(frequency > 0, np.maximum(frequency, np.finfo(np.float64).tiny) ** -balance, 0)
    weights = pixels @ value / np.maximum(known, 1)
    weights[known == 0] = weights[known > 0].mean() if known.any() else 1
    return np.asarray(weights / weights.sum())
