"""How many files and connections this process may open."""

import resource
from contextlib import suppress

_RESERVED = 128
"""Descriptors kept for files, decoders and the like: connections must not use all of them."""

_LEAST = 8
"""Connections that are always allowed."""


def raise_open_files_limit() -> None:
    """Take as many descriptors as the administrator allows; the usual soft limit is made for programs with few."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Some systems allow no more than a limit of their own, which they do not tell.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def allowed_connections(wanted: int) -> int:
    """How many connections may be open at once: as many as are wanted, or as the process has descriptors for."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed == resource.RLIM_INFINITY:
        return wanted
    return min(wanted, max(_LEAST, allowed - _RESERVED))
