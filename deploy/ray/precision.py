"""One precision for all processes of a batch."""

from typing import Any

import ray

from app.pipeline.loading import Loader
from app.settings import Settings
from deploy.ray.room import share
from model.cores import set_threads
from model.precision import Precision


def with_one_precision(settings: Settings) -> Settings:
    """Replace the precision ``auto`` by the one that a process of the cluster finds to be fastest.

    If each process chose its own, the masks of one batch would have several precisions.

    Raises:
        SegmentationError: weights or device cannot be used.
    """
    if settings.precision is not Precision.AUTO:
        return settings
    each = share(settings)
    remote: Any = ray.remote(num_cpus=each.cpus, num_gpus=each.gpus)(_fastest)
    precision: Precision = ray.get(remote.remote(settings))
    return settings.model_copy(update={"precision": precision})


def _fastest(settings: Settings) -> Precision:
    set_threads(settings.threads, "FCN_THREADS")
    return Loader(settings).load().precision
