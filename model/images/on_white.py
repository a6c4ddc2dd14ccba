"""Compositing of transparency on white."""

import numpy as np
from numpy.typing import NDArray


def on_white(colors: NDArray[np.float64], alpha: NDArray[np.float64]) -> NDArray[np.float64]:
    """Composite colours of 0..255, (..., C), on white; ``alpha``, (..., 1), is 0..1."""
    return colors * alpha + 255 * (1 - alpha)
