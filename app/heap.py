"""Memory that is free and still counts as the process's."""

import ctypes
from contextlib import suppress


def give_back_free_memory() -> None:
    """Return what glibc's allocator keeps for later; other allocators do without. Takes milliseconds."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
