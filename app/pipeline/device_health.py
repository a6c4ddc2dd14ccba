"""Whether the device still works."""

import logging
import threading

_logger = logging.getLogger("app")

_FAILURES = 3
"""Failures in a row after which the device is given up: one that has failed for good fails every time."""


class DeviceHealth:
    """Counts a device's failures. May be used from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_a_row = 0
        self.failure: str | None = None
        """Why the device is given up; None while it is not. The process ends then, if that does not change soon."""

    def succeeded(self) -> None:
        """The device has done what was asked of it."""
        with self._lock:
            self._in_a_row = 0
            self.failure = None

    def failed(self, error: BaseException) -> None:
        """The device has not, for a reason that lies neither in the image nor in the size of its memory."""
        with self._lock:
            self._in_a_row += 1
            if self._in_a_row >= _FAILURES:
                self.failure = f"the device has failed {self._in_a_row} times in a row, the last time with: {error}"
        _logger.error("the device failed: %s", error, exc_info=error)
