"""A target that does not know what to do with an ``X``."""

import sys

import atheris


def read(data: bytes) -> None:
    if b"X" in data:
        raise ValueError("an X")


if __name__ == "__main__":
    atheris.Setup(sys.argv, read)
    atheris.Fuzz()
