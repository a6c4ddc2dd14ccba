"""Whether the device still works."""

import logging
import threading

_logger = logging.getLogger("app")

_FAILURES = 3
"""Consecutive failures after which the device counts as broken: a broken device fails every time."""


class DeviceHealth:
    """Counts a device's failures. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_a_row = 0
        self.failure: str | None = None
        """Why the device counts as broken; None while it works. The process ends unless the device recovers soon."""

    def succeeded(self) -> None:
        """Record that the device has completed a computation."""
        with self._lock:
            self._in_a_row = 0
            self.failure = None

    def failed(self, error: BaseException) -> None:
        """Record that a computation failed for a reason other than the image or a lack of device memory."""
        with self._lock:
            self._in_a_row += 1
            if self._in_a_row >= _FAILURES:
                self.failure = f"the device has failed {self._in_a_row} times in a row, the last time with: {error}"
        _logger.error("the device failed: %s", error, exc_info=error)
