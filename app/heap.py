"""Limits the freed memory that glibc's allocator keeps."""

import ctypes
import os
from contextlib import suppress

_ARENAS = 2
"""Number of heaps that all threads share."""

_M_ARENA_MAX = -8
"""Parameter of mallopt(3)."""


def limit_arenas() -> None:
    """Make threads share a few heaps, unless the environment says otherwise. Call this before threads are started.

    Otherwise there are as many heaps as threads, up to eight per core, and the end of each, up to 64 MB, is kept even
    by ``trim_heap``.
    """
    if "MALLOC_ARENA_MAX" in os.environ or "arena_max" in os.environ.get("GLIBC_TUNABLES", ""):
        return
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS)


def trim_heap() -> None:
    """Return free memory in the heaps to the operating system; does nothing without glibc. Takes milliseconds."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
