"""A fuzzing target that fails on an ``X``."""

import sys

import atheris


def read(data: bytes) -> None:
    if b"X" in data:
        raise ValueError("an X")


if __name__ == "__main__":
    atheris.Setup(sys.argv, read)
    atheris.Fuzz()
