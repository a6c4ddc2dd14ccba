"""What schemathesis, which loads this, cannot know. Noise is for ``fuzz`` to send."""

from base64 import b64encode
from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis.transport.serialization import Binary

from benchmarks.reliability.seeds import seeds

_IMAGES = st.sampled_from(list(seeds().values()))
_MEDIA_TYPES = ("image/png", "image/webp", "image/avif", "image/heic", "application/octet-stream")
_MAX_FIELDS = 8
"""Most fields of a form, besides the image."""

# Bytes are images.
schemathesis.openapi.media_type("image/jpeg", _IMAGES, aliases=_MEDIA_TYPES)
schemathesis.openapi.format("binary", _IMAGES.map(Binary))  # of a form's file
schemathesis.openapi.format("byte", _IMAGES.map(lambda image: b64encode(image).decode()))  # in JSON


@schemathesis.hook
def filter_body(context: schemathesis.HookContext, body: Any) -> bool:  # noqa: ARG001 (schemathesis's signature)
    """Forms have no more fields than are read; no schema can say that, since an array is sent as several."""
    if not isinstance(body, dict):
        return True
    return sum(len(value) if isinstance(value, list) else 1 for value in body.values()) <= _MAX_FIELDS


@schemathesis.hook
def filter_case(context: schemathesis.HookContext, case: schemathesis.Case[Any]) -> bool:  # noqa: ARG001 (likewise)
    """No tensors of pixels: no schema can say that there are as many numbers as the shape says."""
    inputs = case.body.get("inputs") if isinstance(case.body, dict) else None
    return not isinstance(inputs, list) or not any(
        isinstance(wanted, dict) and wanted.get("name") == "pixels" for wanted in inputs
    )
