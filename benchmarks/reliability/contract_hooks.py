"""What schemathesis, which loads this, cannot know: bytes that are images. Noise is for ``fuzz`` to send."""

import schemathesis
from hypothesis import strategies as st
from schemathesis.transport.serialization import Binary

from benchmarks.reliability.fuzz_seeds import seeds

_IMAGES = st.sampled_from(list(seeds().values()))
_MEDIA_TYPES = ("image/png", "image/webp", "image/avif", "image/heic", "application/octet-stream")

schemathesis.openapi.media_type("image/jpeg", _IMAGES, aliases=_MEDIA_TYPES)
schemathesis.openapi.format("binary", _IMAGES.map(Binary))  # of a form's file
