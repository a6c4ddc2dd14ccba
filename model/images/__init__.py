"""From an image file to RGB pixels, for service and training alike."""

from model.images.file import FORMATS, Allocate, Header, blank, decode_image, read_header, read_orientation, upright

__all__ = ["FORMATS", "Allocate", "Header", "blank", "decode_image", "read_header", "read_orientation", "upright"]
