"""The service: an image in over HTTP, the class of every pixel out."""

__version__ = "0.1.0"
