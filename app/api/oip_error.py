"""Errors of the Open Inference Protocol. A module of its own, since any part of the service may cause one."""

import orjson

PREFIX = "/v2"
"""Prefix of the protocol's paths."""


def is_oip(path: str) -> bool:
    """Whether a path belongs to the protocol."""
    return path == PREFIX or path.startswith(f"{PREFIX}/")


def oip_error(detail: str) -> bytes:
    """The protocol's error document."""
    return orjson.dumps({"error": detail})
