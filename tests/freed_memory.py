"""Unused objects are freed between tests, so that the test process stays small."""

import gc
import os
from pathlib import Path

import fastapi.dependencies.models

_GROWTH_BYTES = 256 << 20
"""Bytes by which the process may grow before a garbage collection, which takes a while."""


class FreedMemory:
    """A pytest plugin.

    FastAPI caches the kind of function of thousands of endpoints. Some endpoints refer to their application, and with
    it to a network and its programs: 125 MB. These are also reference cycles, which Python would collect late, because
    it counts objects and not bytes.
    """

    def __init__(self) -> None:
        self._collected_at = 0

    def pytest_runtest_logfinish(self) -> None:
        memory = _resident_bytes()
        if memory > self._collected_at + _GROWTH_BYTES:
            for function in vars(fastapi.dependencies.models).values():
                if hasattr(function, "cache_clear"):
                    function.cache_clear()
            gc.collect()
            self._collected_at = _resident_bytes()


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
