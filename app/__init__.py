"""The service: takes an image over HTTP and returns the class of every pixel."""

__version__ = "0.1.0"
