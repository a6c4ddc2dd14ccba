"""Standard input, output and error: the service must work even if nobody reads them."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress


def say(line: str) -> None:
    """Print a line to standard output; ignore errors if nobody reads it."""
    # Not with print: unwritable text would stay in its buffer, and spoil the exit code.
    with suppress(OSError):
        os.write(1, f"{line}\n".encode())


@contextmanager
def standard_streams() -> Iterator[None]:
    """Keep descriptors 0 to 2 open while the process runs, and ignore at its end that nobody reads them."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # Opens the lowest free descriptor, which a connection would get otherwise, together with printed text.
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115 (a descriptor has no path)
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except OSError:
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
