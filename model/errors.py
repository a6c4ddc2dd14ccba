"""The exceptions of ``model``.

SegmentationError
├── LabelsError          a class table that cannot be used, or colours outside it
├── NetworkError         a network that cannot be built, or weights that do not fit it
├── CheckpointError      a weights file that is missing, damaged, foreign or gives another mask than it promises
├── DeviceError          a device that torch cannot use here, or not in the precision asked for
├── ImageError           an array that is not an image
└── TilingError          sizes of parts, or a way to cut, that cannot be used for this image
"""

from pydantic import ValidationError


class SegmentationError(Exception):
    """Base of every error that ``model`` raises on purpose."""


class LabelsError(SegmentationError, ValueError):
    """A class table is inconsistent, or an image holds colours that are not in it."""


class NetworkError(SegmentationError, ValueError):
    """A network configuration is invalid, or backbone weights do not fit the network."""


class CheckpointError(SegmentationError):
    """A weights file is missing, damaged, not ours, or gives another mask than it promises."""


class ImageError(SegmentationError, ValueError):
    """An array is not a uint8 RGB image."""


class TilingError(SegmentationError, ValueError):
    """Sizes of parts, or a way to cut, cannot be used for this image."""


class DeviceError(SegmentationError):
    """The device asked for is unknown to torch, absent, or not able to compute in the precision asked for."""


def first_fault(error: ValidationError) -> str:
    """Where in a document the first fault is, and what it is."""
    fault = error.errors()[0]
    return f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
