"""Errors as the Open Inference Protocol has them, apart from the rest of it: all of the service may end in one."""

import orjson

PREFIX = "/v2"
"""Prefix of the protocol's paths."""


def is_oip(path: str) -> bool:
    """Whether a path is the protocol's."""
    return path == PREFIX or path.startswith(f"{PREFIX}/")


def oip_error(detail: str) -> bytes:
    """The document that says what is wrong."""
    return orjson.dumps({"error": detail})
