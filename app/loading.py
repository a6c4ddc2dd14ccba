"""The segmenter that the settings ask for."""

from app.settings import Settings
from model.segmenter import Segmenter
from model.tiling import TilingLimits


def load_segmenter(settings: Settings) -> Segmenter:
    """Its golden image has gone through the network, which warms it up.

    Raises:
        SegmentationError: weights or device cannot be used.
    """
    limits = TilingLimits(
        band_pixels=settings.band_pixels,
        photograph_pixels=settings.photograph_pixels,
        max_whole_pixels=settings.max_whole_pixels,
    )
    return Segmenter.load(settings.weights, settings.device, limits, settings.precision)
