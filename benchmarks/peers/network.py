"""The network as a sensible engineer runs it on a CPU, shared by the peers that are frameworks."""

from io import BytesIO

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional

from model.checkpoint import Checkpoint
from model.networks.fcn import aligned
from model.segmenter import DEFAULT_WEIGHTS


class PeerNetwork:
    """The shipped checkpoint: channels_last, inference mode, whole images, argmax over all logits, palette PNG."""

    def __init__(self) -> None:
        checkpoint = Checkpoint.load(DEFAULT_WEIGHTS)
        self._network = checkpoint.build().to(memory_format=torch.channels_last)
        self._preprocessing = checkpoint.preprocessing
        self._palette = checkpoint.labels.palette.tobytes()

    def decode(self, data: bytes) -> NDArray[np.uint8]:
        """Bytes of an image file -> (height, width, 3), uint8 RGB."""
        return np.array(Image.open(BytesIO(data)).convert("RGB"))

    def predict(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Class of each pixel: (height, width, 3), uint8 RGB -> (height, width), uint8."""
        height, width = image.shape[:2]
        with torch.inference_mode():
            images = self._preprocessing(torch.from_numpy(image).permute(2, 0, 1)[None])
            padded = functional.pad(images, (0, aligned(width) - width, 0, aligned(height) - height))
            logits = self._network(padded.contiguous(memory_format=torch.channels_last))
            mask: NDArray[np.uint8] = logits[0, :, :height, :width].argmax(dim=0).to(torch.uint8).numpy()
        return mask

    def encode(self, mask: NDArray[np.uint8]) -> bytes:
        """(height, width), uint8 -> palette PNG at the lowest compression level."""
        picture = Image.fromarray(mask)
        picture.putpalette(self._palette)
        buffer = BytesIO()
        picture.save(buffer, "PNG", compress_level=1)
        return buffer.getvalue()

    def segment(self, data: bytes) -> bytes:
        """Bytes of an image file -> bytes of a PNG."""
        return self.encode(self.predict(self.decode(data)))
