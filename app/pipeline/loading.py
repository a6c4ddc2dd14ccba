"""Loads the segmenter that the settings describe."""

import json
import os
from contextlib import suppress
from pathlib import Path

from app.environment import WORKERS_FOLDER
from app.settings import Settings
from model.fastest import Seconds, load_fastest
from model.files import replacing
from model.precision import Precision
from model.segmenter import Segmenter
from model.tiling import TilingLimits

_SECONDS_NAME = "precision_seconds.json"
"""Name of the file with the first worker's measurements, in the folder that the workers share."""


class Loader:
    """Loads the weights, at the start and for every reload, but measures the precisions only the first time.

    Workers that share a folder also share the measurement, so that all of them choose the same precision.

    Args:
        settings: weights, device, precision and limits.
    """

    def __init__(self, settings: Settings) -> None:
        folder = os.environ.get(WORKERS_FOLDER)
        self._settings = settings
        self._shared = None if folder is None else Path(folder) / _SECONDS_NAME
        self._seconds: Seconds | None = None

    def load(self) -> Segmenter:
        """Load a segmenter and warm it up with its golden image.

        Raises:
            SegmentationError: the weights or the device cannot be used.
        """
        settings = self._settings
        limits = TilingLimits(
            band_pixels=settings.band_pixels,
            small_image_pixels=settings.small_image_pixels,
            max_whole_pixels=settings.max_whole_pixels,
        )
        if settings.precision is not Precision.AUTO:
            return Segmenter.load(settings.weights, settings.device, limits, settings.precision)
        if self._seconds is None:
            self._seconds = self._read()
        segmenter, measured = load_fastest(
            settings.weights, settings.device, limits, settings.precision_tolerance, self._seconds
        )
        if self._seconds is None:
            self._seconds = measured
            self._write(measured)
        return segmenter

    def _read(self) -> Seconds | None:
        if self._shared is None:
            return None
        try:
            return {Precision(name): float(seconds) for name, seconds in json.loads(self._shared.read_text()).items()}
        except (OSError, ValueError, AttributeError, TypeError):  # no file yet, or not ours: measure here
            return None

    def _write(self, seconds: Seconds) -> None:
        if self._shared is not None:
            # If writing fails, every worker measures for itself.
            with suppress(OSError), replacing(self._shared) as unfinished:
                unfinished.write_text(json.dumps(seconds))
