"""Endings of the names of image files that ``model.images`` reads, without the imports that reading takes."""

IMAGE_SUFFIXES = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".bmp"),
        *(".tif", ".tiff", ".gif", ".avif", ".heic", ".heif"),
    }
)
"""In lower case. Only names are guessed by it; what a file says it is decides how it is read."""
