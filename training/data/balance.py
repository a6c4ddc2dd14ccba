"""Sampling probabilities that show rare classes more often."""

import numpy as np
from numpy.typing import NDArray


def image_balancing_weights(shows: NDArray[np.bool_], balance: float) -> NDArray[np.float64]:
    """Compute probabilities that favour samples with classes that occur in few samples.

    Args:
        shows: (N, K), whether a sample shows a class.
        balance: 0 gives all samples the same probability; 1 makes it inversely proportional to the number of samples
            that show the sample's rarest class.

    Returns:
        (N,) float64, of sum 1.
    """
    frequency = shows.sum(axis=0)
    rarest = np.where(shows, frequency, len(shows)).min(axis=1)
    weights = rarest.astype(np.float64) ** -balance
    return np.asarray(weights / weights.sum())


def pixel_balancing_weights(pixels: NDArray[np.int64], balance: float) -> NDArray[np.float64]:
    """Compute probabilities that favour samples with many pixels of classes that have few pixels overall.

    Args:
        pixels: (N, K), pixels of each class.
        balance: 0 gives all samples the same probability; at 1 a pixel's weight is inversely proportional to its
            class's share of all pixels, and a sample's probability is proportional to the mean weight of its pixels.

    Returns:
        (N,) float64, of sum 1; samples without a known pixel have the mean probability of the others.
    """
    known = pixels.sum(axis=1)
    frequency = pixels.sum(axis=0) / max(1, known.sum())
    value = np.where(frequency > 0, np.maximum(frequency, np.finfo(np.float64).tiny) ** -balance, 0)
    weights = pixels @ value / np.maximum(known, 1)
    weights[known == 0] = weights[known > 0].mean() if known.any() else 1
    return np.asarray(weights / weights.sum())
