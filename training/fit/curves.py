"""Plots of a run's metrics."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

_PANELS = (
    ("loss", ("loss", "distillation", "auxiliary")),
    ("accuracy and mIoU", ("accuracy", "val_accuracy", "val_miou")),
    ("learning rate", ("learning_rate",)),
)


def draw_curves(records: Sequence[Mapping[str, Any]], file: Path) -> None:
    """Draw loss, accuracies and learning rate over the steps.

    Args:
        records: records of ``log.jsonl``; each has ``step`` and some of the metrics.
        file: PNG to write.
    """
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    for axes, (title, names) in zip(figure.subplots(1, len(_PANELS)), _PANELS, strict=True):
        for name in names:
            points = [(record["step"], record[name]) for record in records if name in record]
            if points:
                axes.plot(*zip(*points, strict=True), label=name, marker="." if name.startswith("val_") else None)
        axes.set(title=title, xlabel="step")
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend()
    figure.savefig(file)
