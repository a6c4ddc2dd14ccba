"""From an image file to RGB pixels, for service and training alike."""

from model.images.decoding import Allocate, blank, decode_image
from model.images.header import Header, read_header, read_orientation
from model.images.opening import FORMATS
from model.images.orientation import upright

__all__ = ["FORMATS", "Allocate", "Header", "blank", "decode_image", "read_header", "read_orientation", "upright"]
