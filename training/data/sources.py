"""From a configuration to inspected data sets."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.labels import Labels
from training.config import Balance, DataConfig, SmallImages, SourceConfig
from training.data.balance import image_balancing_weights, pixel_balancing_weights
from training.data.batches import Source
from training.data.dataset import VocDataset
from training.data.inspection import Inspection, inspect
from training.errors import ConfigError, DatasetError


def open_sources(config: DataConfig, labels: Labels) -> tuple[list[Source], VocDataset | None]:
    """Open and read all data sets of a run, including the one for validation.

    Raises:
        ConfigError: the configuration has no source.
        DatasetError: some of the data cannot be used; the message lists all faults.
    """
    if not config.sources:
        raise ConfigError("no data: name at least one source")
    wanted = [*config.sources, *([config.validation] if config.validation else [])]
    inspections = inspect([partial(_open, source, config.folder, labels) for source in wanted])
    _require_pixels(inspections[: len(config.sources)], labels, config)
    sources = [
        _source(inspection, source.per_batch, config)
        for inspection, source in zip(inspections, config.sources, strict=False)
    ]
    return sources, inspections[-1].dataset if config.validation else None


def _require_pixels(inspections: Sequence[Inspection], labels: Labels, config: DataConfig) -> None:
    """Print each class's number of pixels; refuse custom classes without pixels, and any table if one class has all.

    Some of VOC's classes may be absent, because often only a subset is trained.
    """
    labelled = [inspection for inspection in inspections if inspection.dataset.labelled]
    if not labelled:
        return
    pixels = np.concatenate([inspection.pixels for inspection in labelled]).sum(axis=0)
    void = sum(int(inspection.sizes.prod(axis=1).sum()) for inspection in labelled) - int(pixels.sum())
    counts = zip((*labels.names, "void"), (*pixels.tolist(), void), strict=True)
    print(f"pixels: {', '.join(f'{name} {count:,}' for name, count in counts)}")
    if not pixels.any():
        raise DatasetError("every pixel of every mask is void (255): there is nothing to learn")
    absent = [name for name, count in zip(labels.names, pixels.tolist(), strict=True) if count == 0]
    is_only_one = len(absent) == len(labels) - 1
    if absent and (config.labels is not None or is_only_one) and not config.allow_empty_classes:
        raise DatasetError(
            f"no mask has a pixel of class {', '.join(absent)} (255 is void, not a class); "
            "--allow-empty-classes trains anyway"
        )


def _open(source: SourceConfig, folder: Path, labels: Labels) -> VocDataset:
    soft_labels = None if source.soft_labels is None else folder / source.soft_labels
    return VocDataset(folder / source.root, source.split, labels, soft_labels=soft_labels, labelled=source.labelled)


def _source(inspection: Inspection, per_batch: int, config: DataConfig) -> Source:
    dataset, pixels = inspection.dataset, inspection.pixels
    if config.small_images is SmallImages.DROP:
        large = np.all(inspection.sizes >= config.crop_size, axis=1)
        print(
            f"{dataset.root.name}/{dataset.split}: kept {int(large.sum())} of {len(large)} images, the others are "
            f"smaller than {config.crop_size} x {config.crop_size}"
        )
        if not large.any():
            raise DatasetError(f"all images of {dataset.root} {dataset.split} are smaller than the crop")
        dataset.keep(np.flatnonzero(large).tolist())
        pixels = pixels[large]
    if not dataset.labelled:
        return Source(dataset, per_batch)
    weights = _weights(pixels, config) if config.balance else None
    donors = pixel_balancing_weights(pixels, 1) if config.copy_paste else None
    return Source(dataset, per_batch, weights, donors)


def _weights(pixels: NDArray[np.int64], config: DataConfig) -> NDArray[np.float64]:
    match config.balance_by:
        case Balance.IMAGES:
            return image_balancing_weights(pixels > 0, config.balance)
        case Balance.PIXELS:
            return pixel_balancing_weights(pixels, config.balance)
