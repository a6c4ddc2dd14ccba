"""What schemathesis, which loads this, cannot know: bytes that are images. Noise is for ``fuzz`` to send."""

import schemathesis
from hypothesis import strategies as st
from schemathesis.transport.serialization import Binary

from benchmarks.reliability.fuzz_seeds import seeds

schemathesis.openapi.format("binary", st.sampled_from(list(seeds().values())).map(Binary))
