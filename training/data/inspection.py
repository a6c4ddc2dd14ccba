"""Inspection of every sample before training starts: reports all faults at once, and counts pixels."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data.dataset import VocDataset
from training.errors import DatasetError
from training.progress import track

_MAX_NAMED = 100


@dataclass(frozen=True, slots=True)
class Inspection:
    """A data set with the sizes and pixel counts of its samples.

    Attributes:
        dataset: the data set.
        sizes: (N, 2) int64, height and width of each image.
        pixels: (N, K) int64, pixels of each class.
    """

    dataset: VocDataset
    sizes: NDArray[np.int64]
    pixels: NDArray[np.int64]


def inspect(openers: Sequence[Callable[[], VocDataset]]) -> list[Inspection]:
    """Open several data sets and read every sample of each.

    Raises:
        DatasetError: data sets cannot be opened or samples cannot be used; the message lists all of them with their
            faults.
    """
    inspections, faults = [], []
    for opener in openers:
        try:
            dataset = opener()
        except DatasetError as error:
            faults.append(str(error))
            continue
        rows = _read_all(dataset)
        faults += [row for row in rows if isinstance(row, str)]
        good = [row for row in rows if not isinstance(row, str)]
        if len(good) == len(rows):
            sizes, pixels = np.array([size for size, _ in good]), np.stack([pixels for _, pixels in good])
            inspections.append(Inspection(dataset, sizes, pixels))
    _raise_if_any(faults)
    return inspections


_Row = tuple[tuple[int, int], NDArray[np.int64]] | str
"""Size of a sample and its number of pixels of each class, or its fault."""


def _read_all(dataset: VocDataset) -> Sequence[_Row]:
    def read(index: int) -> _Row:
        try:
            sample = dataset[index]
        except DatasetError as error:
            return str(error)
        height, width = sample.mask.shape
        return (height, width), np.bincount(sample.mask.ravel(), minlength=256)[: len(dataset.labels)]

    name = f"checking {dataset.root.name}/{dataset.split}"
    with ThreadPoolExecutor() as pool:
        return list(track(pool.map(read, range(len(dataset))), name, len(dataset)))


def _raise_if_any(faults: Sequence[str]) -> None:
    if not faults:
        return
    unique = list(dict.fromkeys(faults))
    listed = "".join(f"\n  {fault}" for fault in unique[:_MAX_NAMED])
    more = f"\n  and {len(unique) - _MAX_NAMED} more" if len(unique) > _MAX_NAMED else ""
    raise DatasetError(f"{len(unique)} faults in the data:{listed}{more}")
