"""Hooks for schemathesis: what valid bodies are beyond the schema. Noise is sent by ``fuzz``."""

from base64 import b64encode
from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis.transport.serialization import Binary

from benchmarks.reliability.seeds import seeds

_IMAGES = st.sampled_from(list(seeds().values()))
_MEDIA_TYPES = ("image/png", "image/webp", "image/avif", "image/heic", "application/octet-stream")
_MAX_FIELDS = 8
"""Maximum number of fields of a form, besides the image."""

# Wherever the schema asks for bytes, send an image.
schemathesis.openapi.media_type("image/jpeg", _IMAGES, aliases=_MEDIA_TYPES)
schemathesis.openapi.format("binary", _IMAGES.map(Binary))  # a file in a form
schemathesis.openapi.format("byte", _IMAGES.map(lambda image: b64encode(image).decode()))  # in JSON


@schemathesis.hook
def filter_body(context: schemathesis.HookContext, body: Any) -> bool:  # noqa: ARG001 (schemathesis's signature)
    """Limit a form's fields to as many as are read; a schema cannot, since an array is sent as several fields."""
    if not isinstance(body, dict):
        return True
    return sum(len(value) if isinstance(value, list) else 1 for value in body.values()) <= _MAX_FIELDS


@schemathesis.hook
def filter_case(context: schemathesis.HookContext, case: schemathesis.Case[Any]) -> bool:  # noqa: ARG001 (likewise)
    """Skip pixel tensors: a schema cannot say that the number of values must match the shape."""
    inputs = case.body.get("inputs") if isinstance(case.body, dict) else None
    return not isinstance(inputs, list) or not any(
        isinstance(wanted, dict) and wanted.get("name") == "pixels" for wanted in inputs
    )
