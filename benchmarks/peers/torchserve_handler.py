"""The handler that TorchServe calls in each worker; see ``torchserve_service``."""

from typing import Any

from ts.torch_handler.base_handler import BaseHandler

from benchmarks.peers.network import PeerNetwork


class SegmentationHandler(BaseHandler):
    """TorchServe's three steps; a batch is one image, the default."""

    def initialize(self, context: Any) -> None:  # noqa: ARG002 (TorchServe's signature)
        self.network = PeerNetwork()
        self.initialized = True

    def preprocess(self, data: list[dict[str, Any]]) -> list[Any]:
        return [self.network.decode(bytes(row.get("body") or row["data"])) for row in data]

    def inference(self, data: list[Any], *_: Any, **__: Any) -> list[Any]:
        return [self.network.predict(image) for image in data]

    def postprocess(self, data: list[Any]) -> list[bytes]:
        return [self.network.encode(mask) for mask in data]
