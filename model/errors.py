"""The exceptions of ``model``.

SegmentationError
├── LabelsError          a class table that cannot be used, or colours outside it
├── NetworkError         a network that cannot be built, or weights that do not fit it
├── CheckpointError      a weights file that is missing, damaged, foreign or fails its golden sample
├── DeviceError          a device that torch cannot use here, or not in the requested precision
├── ImageError           an array that is not an image
├── ImageFileError       a file that cannot be read as an image
│   ├── NotAnImageError        bytes that are in no image format
│   ├── ImageDamagedError      an image file that is truncated or corrupt
│   ├── UnsupportedImageError  an unsupported format or pixel layout
│   └── ImageMemoryError       too little memory to decode it
└── TilingError          tile sizes, or a tiling, that cannot be used for this image
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError  # not imported by the processes that decode images


class SegmentationError(Exception):
    """Base of every error that ``model`` raises on purpose."""


class LabelsError(SegmentationError, ValueError):
    """A class table is inconsistent, or an image holds colours that are not in it."""


class NetworkError(SegmentationError, ValueError):
    """A network configuration is invalid, or backbone weights do not fit the network."""


class CheckpointError(SegmentationError):
    """A weights file is missing, damaged, foreign, or predicts another mask for its golden image than it stores."""


class ImageError(SegmentationError, ValueError):
    """An array is not a uint8 RGB image."""


class ImageFileError(SegmentationError):
    """A file cannot be read as an image; raised as one of the sub-classes."""


class NotAnImageError(ImageFileError):
    """The bytes are empty, or in no supported image format."""


class ImageDamagedError(ImageFileError):
    """The file starts like an image but is truncated or corrupt."""


class UnsupportedImageError(ImageFileError):
    """The file's format is known but not supported, or its pixel layout is not."""


class ImageMemoryError(ImageFileError):
    """There is too little memory to decode the image."""


class TilingError(SegmentationError, ValueError):
    """Tile sizes, or a tiling, cannot be used for this image."""


class DeviceError(SegmentationError):
    """The requested device is unknown to torch, absent, or does not support the requested precision."""


def first_fault(error: "ValidationError") -> str:
    """Return the location and the message of the first validation error."""
    fault = error.errors()[0]
    return f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
