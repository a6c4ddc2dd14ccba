"""Image files for tests."""

from io import BytesIO

from PIL import Image


def encoded(picture: Image.Image, file_format: str, **options: object) -> bytes:
    """Encode a picture as the bytes of a file."""
    buffer = BytesIO()
    picture.save(buffer, file_format, **options)
    return buffer.getvalue()
