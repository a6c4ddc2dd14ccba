"""The exceptions of ``model``.

SegmentationError
├── LabelsError          a class table that cannot be used, or colours outside it
├── NetworkError         a network that cannot be built, or weights that do not fit it
├── CheckpointError      a weights file that is missing, damaged, foreign or gives another mask than it promises
├── DeviceError          a device that torch cannot use here, or not in the precision asked for
├── ImageError           an array that is not an image
├── ImageFileError       a file that cannot be read as an image
│   ├── NotAnImageError        bytes of no image format
│   ├── ImageDamagedError      an image file that is cut off or corrupt
│   ├── UnsupportedImageError  a format or pixel layout that is not read
│   └── ImageMemoryError       too little memory to decode it
└── TilingError          sizes of parts, or a way to cut, that cannot be used for this image
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError  # the processes that decode images do without it


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


class ImageFileError(SegmentationError):
    """A file cannot be read as an image; raised as one of the sub-classes."""


class NotAnImageError(ImageFileError):
    """The bytes are empty, or of no image format that is read."""


class ImageDamagedError(ImageFileError):
    """The file starts like an image and is cut off or corrupt."""


class UnsupportedImageError(ImageFileError):
    """The file is of a known format, or its pixels of a layout, that is not read."""


class ImageMemoryError(ImageFileError):
    """There is too little memory to decode the image."""


class TilingError(SegmentationError, ValueError):
    """Sizes of parts, or a way to cut, cannot be used for this image."""


class DeviceError(SegmentationError):
    """The device asked for is unknown to torch, absent, or not able to compute in the precision asked for."""


def first_fault(error: "ValidationError") -> str:
    """Where in a document the first fault is, and what it is."""
    fault = error.errors()[0]
    return f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
