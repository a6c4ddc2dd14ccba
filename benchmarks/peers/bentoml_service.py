"""BentoML.

    python -m bentoml serve benchmarks.peers.bentoml_service:Segmentation --host 127.0.0.1 --port PORT

The input is BentoML's *root input*, an image without a form around it. The output is bytes with a content type, which
its documentation calls the efficient way to return data generated on the fly.
"""

from typing import Annotated

import bentoml
import numpy as np
from bentoml.validators import ContentType
from PIL import Image

from benchmarks.peers.network import PeerNetwork


@bentoml.service
class Segmentation:
    """One worker, BentoML's default."""

    def __init__(self) -> None:
        self.network = PeerNetwork()

    @bentoml.api
    def segment(self, image: Image.Image, /) -> Annotated[bytes, ContentType("image/png")]:
        return self.network.encode(self.network.predict(np.array(image.convert("RGB"))))
