"""Figure of a confusion matrix."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from training.evaluation.metrics import ratio


def save_confusion_picture(counts: NDArray[np.int64], names: Sequence[str], path: Path) -> None:
    """Draw the share of each class's pixels by predicted class: rows add up to 100%; rows of absent classes are grey.

    Args:
        counts: (K, K) numbers of pixels; the row is the true class, the column the predicted one.
        names: names of the K classes.
        path: PNG to write.
    """
    shares = ratio(counts, np.broadcast_to(counts.sum(axis=1, keepdims=True), counts.shape))
    side = 2.5 + 0.36 * len(names)
    figure = Figure((side + 1, side), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_facecolor("0.85")
    drawn = axes.imshow(np.ma.masked_invalid(shares), vmin=0, vmax=1, cmap="Blues")
    axes.set_xticks(range(len(names)), names, rotation=90)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    for row, column in np.argwhere(shares >= 0.005).tolist():
        share = shares[row, column]
        color = "white" if share > 0.5 else "black"
        axes.text(column, row, f"{100 * share:.0f}", ha="center", va="center", color=color, fontsize=7)
    figure.colorbar(drawn, label="share of the true class's pixels", shrink=0.8)
    figure.savefig(path, dpi=120)
