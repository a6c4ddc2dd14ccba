"""Errors as the protocol has them."""

import orjson

PREFIX = "/v2"
"""Of the protocol's paths."""


def is_oip(path: str) -> bool:
    """Whether a path is the protocol's."""
    return path == PREFIX or path.startswith(f"{PREFIX}/")


def oip_error(detail: str) -> bytes:
    """The document that says what is wrong."""
    return orjson.dumps({"error": detail})
