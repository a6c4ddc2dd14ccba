"""Exit codes of the service."""

CANNOT_START = 3
"""The service cannot start; uvicorn's code for it."""

DEVICE_FAILED = 1
"""The device cannot compute any more."""
