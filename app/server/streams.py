"""Standard input, output and error: a service must not depend on anybody who reads them."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress


def say(line: str) -> None:
    """Print a line to standard output, whether somebody reads it or not."""
    # Not by print: what cannot be written stays in its buffer, and spoils the exit code.
    with suppress(OSError):
        os.write(1, f"{line}\n".encode())


@contextmanager
def standard_streams() -> Iterator[None]:
    """For all of a process's life: descriptors 0 to 2 are open, and that nobody reads them is no failure in the end."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # It takes the lowest free number, which a connection would get otherwise, and with it what is printed.
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
