"""Tensors of the Open Inference Protocol: in JSON, or as bytes after it."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
import orjson
from numpy.typing import NDArray

from app.formats.whole import WholeEncoder
from model.labels import Labels
from model.segmentation import Segmentation

VERSION_DIGITS = 12
"""Number of digits of a checkpoint's digest that form the version."""

_ROWS_AT_ONCE = 64

_JSON_BYTES = 8
"""Bytes of a JSON number and its comma, counted twice: in a group of rows and in the whole body."""


@dataclass(frozen=True, slots=True)
class Output:
    """A requested output: ``mask`` or ``confidence``."""

    name: str
    is_binary: bool

    @property
    def is_confidence(self) -> bool:
        return self.name == "confidence"

    def tensor(self, segmentation: Segmentation) -> NDArray[np.uint8]:
        """The output's values, (height, width), uint8."""
        if not self.is_confidence:
            return segmentation.mask
        assert segmentation.confidence is not None
        return segmentation.confidence


@dataclass(frozen=True, slots=True)
class Tensors:
    """A format that is encoded once the last row is known.

    Attributes:
        model_name: name of the model in the body.
        outputs: requested outputs, in the order of the request.
        request_id: the client's ID of the request; None if it sent none.
    """

    model_name: str
    outputs: tuple[Output, ...]
    request_id: str | None

    is_streamed: ClassVar[bool] = False

    @property
    def media_type(self) -> str:
        return "application/octet-stream" if self.is_binary else "application/json"

    @property
    def wants_confidence(self) -> bool:
        return any(output.is_confidence for output in self.outputs)

    @property
    def pixel_bytes(self) -> int:
        return self.wants_confidence + sum(1 if output.is_binary else _JSON_BYTES for output in self.outputs)

    @property
    def is_binary(self) -> bool:
        """Whether bytes follow the JSON."""
        return any(output.is_binary for output in self.outputs)

    def json_bytes(self, body_bytes: int, pixels: int) -> int:
        """Number of JSON bytes in a response of ``body_bytes`` to an image of ``pixels``."""
        return body_bytes - pixels * sum(output.is_binary for output in self.outputs)

    def encoder(self, image: NDArray[np.uint8], labels: Labels, digest: str) -> WholeEncoder:
        encode = partial(_encoded, wanted=self, digest=digest)
        return WholeEncoder(image.shape[0], image.shape[1], labels, encode, confidence=self.wants_confidence)


def _encoded(segmentation: Segmentation, wanted: Tensors, digest: str) -> bytes:
    head = {"model_name": wanted.model_name, "model_version": version(digest)}
    if wanted.request_id is not None:
        head["id"] = wanted.request_id
    parts = [orjson.dumps(head)[:-1], b',"outputs":[']
    for number, output in enumerate(wanted.outputs):
        parts.append(b"," if number else b"")
        parts += _described(output, segmentation)
    parts.append(b"]}")
    tensors = [output.tensor(segmentation) for output in wanted.outputs if output.is_binary]
    return b"".join([*parts, *(tensor.data for tensor in tensors)])


def version(digest: str) -> str:
    """Version of the model, derived from its weights: reloading other weights changes it."""
    return digest[:VERSION_DIGITS]


def _described(output: Output, segmentation: Segmentation) -> Iterator[bytes]:
    tensor = output.tensor(segmentation)
    described = {"name": output.name, "datatype": "UINT8", "shape": tensor.shape}
    if output.is_binary:
        yield orjson.dumps({**described, "parameters": {"binary_data_size": tensor.size}})
        return
    yield orjson.dumps(described)[:-1] + b',"data":['
    for top in range(0, len(tensor), _ROWS_AT_ONCE):  # orjson holds the GIL while it works
        rows = tensor[top : top + _ROWS_AT_ONCE].reshape(-1)
        numbers = orjson.dumps(rows, option=orjson.OPT_SERIALIZE_NUMPY)
        yield numbers[1:-1] if top == 0 else b"," + numbers[1:-1]
    yield b"]}"
