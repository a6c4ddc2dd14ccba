"""What glibc's allocator keeps of memory that is free."""

import ctypes
import os
from contextlib import suppress

_ARENAS = 2
"""Heaps that all threads share."""

_M_ARENA_MAX = -8
"""Parameter of mallopt(3)."""


def limit_arenas() -> None:
    """Let threads share few heaps, unless the environment says otherwise; before they are started.

    Else there are as many heaps as threads, at most eight a core. The end of each is kept, up to 64 MB, by
    ``trim_heap``, too.
    """
    if "MALLOC_ARENA_MAX" in os.environ or "arena_max" in os.environ.get("GLIBC_TUNABLES", ""):
        return
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS)


def trim_heap() -> None:
    """Return what is free within heaps to the operating system; other allocators do without. Takes milliseconds."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
