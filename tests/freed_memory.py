"""What tests have done with is freed, so that their process stays small."""

import gc
import os
from pathlib import Path

import fastapi.dependencies.models

_GROWTH_BYTES = 256 << 20
"""By which the process may grow before unreachable objects are looked for, which takes a while."""


class FreedMemory:
    """A plugin of pytest.

    FastAPI remembers what kind of function each endpoint is, of the last thousands of them; some endpoints know their
    application, and with it a network and its programs: 125 MB. These are cycles, too, and Python, which counts objects
    and not bytes, would look for them late.
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
