"""The segmenter that the settings ask for."""

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
"""File of the first worker's measurements, in the folder that several workers share."""


class Loader:
    """Loads the weights, again for every reload, with one measurement of precisions: the first.

    Workers that share a folder share the measurement, too, so that all of them choose alike.

    Args:
        settings: weights, device, precision and limits.
    """

    def __init__(self, settings: Settings) -> None:
        folder = os.environ.get(WORKERS_FOLDER)
        self._settings = settings
        self._shared = None if folder is None else Path(folder) / _SECONDS_NAME
        self._seconds: Seconds | None = None

    def load(self) -> Segmenter:
        """Its golden image has gone through the network, which warms it up.

        Raises:
            SegmentationError: weights or device cannot be used.
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
        except (OSError, ValueError, AttributeError, TypeError):  # none yet, or nothing of ours: it is measured here
            return None

    def _write(self, seconds: Seconds) -> None:
        if self._shared is not None:
            # Without it every worker measures for itself.
            with suppress(OSError), replacing(self._shared) as unfinished:
                unfinished.write_text(json.dumps(seconds))
