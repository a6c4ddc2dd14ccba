"""Limits on the files and connections that this process may open."""

import resource
from contextlib import suppress

_RESERVED = 128
"""Descriptors reserved for files, decoders etc., which connections may not use."""

_LEAST = 8
"""Minimum number of allowed connections."""


def raise_open_files_limit() -> None:
    """Raise the soft limit on descriptors to the hard limit; the usual soft limit suits programs that need few."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Some systems have a lower limit of their own, which they do not report.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def allowed_connections(wanted: int) -> int:
    """Maximum number of open connections: ``wanted``, or fewer if the process has too few descriptors."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed == resource.RLIM_INFINITY:
        return wanted
    return min(wanted, max(_LEAST, allowed - _RESERVED))
