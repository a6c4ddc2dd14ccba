"""LitServe: one worker process runs the network, another serves HTTP, with a queue between them.

    python -m benchmarks.peers.litserve_service PORT

No batching, which is the default and would not help on a CPU. LitServe recommends ``fast_queue`` (ZeroMQ) for high
loads.
"""

import sys
from typing import Annotated

import litserve
import numpy as np
from fastapi import Body, Response
from numpy.typing import NDArray

from benchmarks.peers.network import PeerNetwork


class SegmentationAPI(litserve.LitAPI):
    """LitServe's four steps."""

    def setup(self, device: str) -> None:  # noqa: ARG002 (LitServe's signature)
        self.network = PeerNetwork()

    # LitServe copies this annotation to its FastAPI route: the body is raw bytes, without form or JSON around them.
    def decode_request(self, request: Annotated[bytes, Body(media_type="image/jpeg")]) -> NDArray[np.uint8]:
        return self.network.decode(request)

    def predict(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return self.network.predict(image)

    def encode_response(self, mask: NDArray[np.uint8]) -> Response:
        return Response(self.network.encode(mask), media_type="image/png")


if __name__ == "__main__":
    server = litserve.LitServer(SegmentationAPI(api_path="/segment"), accelerator="cpu", fast_queue=True)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False)
