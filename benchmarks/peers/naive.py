"""A service as tutorials write it: FastAPI, torchvision's transforms, the network as in the book, an RGB PNG.

    python -m benchmarks.peers.naive PORT

The upsampling is the dense transposed convolution of *Dive into Deep Learning* 14.11. The memory format is torch's
default, the handler is a ``def`` in FastAPI's thread pool, and the PNG has Pillow's defaults.
"""

import sys
from io import BytesIO
from typing import Annotated

import numpy as np
import uvicorn
from fastapi import Body, FastAPI, Response
from PIL import Image
from torch.nn import functional
from torchvision import transforms

from benchmarks.in_process import load_naive
from model.checkpoint import Checkpoint
from model.networks.fcn import aligned
from model.segmenter import DEFAULT_WEIGHTS


def create_app() -> FastAPI:
    checkpoint = Checkpoint.load(DEFAULT_WEIGHTS)
    classify = load_naive()
    palette = checkpoint.labels.palette
    preprocess = transforms.Compose(
        [
            transforms.ToTensor(),
            transforms.Normalize(checkpoint.preprocessing.mean, checkpoint.preprocessing.std),
        ]
    )
    app = FastAPI()

    @app.post("/segment")
    def segment(data: Annotated[bytes, Body(media_type="image/jpeg")]) -> Response:
        image = Image.open(BytesIO(data)).convert("RGB")
        width, height = image.size
        batch = preprocess(image).unsqueeze(0)
        padded = functional.pad(batch, (0, aligned(width) - width, 0, aligned(height) - height))
        mask = classify(padded)[:height, :width]
        colors = palette[mask.numpy().astype(np.uint8)]
        buffer = BytesIO()
        Image.fromarray(colors).save(buffer, "PNG")
        return Response(buffer.getvalue(), media_type="image/png")

    return app


if __name__ == "__main__":
    uvicorn.run(create_app(), host="127.0.0.1", port=int(sys.argv[1]))
