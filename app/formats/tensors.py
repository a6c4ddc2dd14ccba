"""A segmentation as the protocol's tensors: in JSON, or as bytes after it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import orjson
from numpy.typing import NDArray

from model.segmentation import Segmentation

VERSION_DIGITS = 12
"""Digits of a checkpoint's digest that name a version."""

_ROWS_AT_ONCE = 64

_JSON_BYTES = 8
"""Bytes of a number in JSON and its comma, twice: some rows and all of them."""


@dataclass(frozen=True, slots=True)
class Output:
    """An output that is asked for: ``mask`` or ``confidence``."""

    name: str
    is_binary: bool

    @property
    def is_confidence(self) -> bool:
        return self.name == "confidence"

    def tensor(self, segmentation: Segmentation) -> NDArray[np.uint8]:
        """(height, width), uint8."""
        if not self.is_confidence:
            return segmentation.mask
        assert segmentation.confidence is not None
        return segmentation.confidence


@dataclass(frozen=True, slots=True)
class Tensors:
    """The answer to an inference.

    Attributes:
        model_name: name of the model in the body.
        outputs: in the order in which they were asked for.
        request_id: the client's, if it has one.
    """

    model_name: str
    outputs: tuple[Output, ...]
    request_id: str | None

    @property
    def is_streamed(self) -> bool:
        return False

    @property
    def wants_confidence(self) -> bool:
        return any(output.is_confidence for output in self.outputs)

    @property
    def pixel_bytes(self) -> int:
        """Of a pixel of the answer, at most, while it is made."""
        return self.wants_confidence + sum(1 if output.is_binary else _JSON_BYTES for output in self.outputs)

    @property
    def is_binary(self) -> bool:
        """Whether bytes follow the JSON."""
        return any(output.is_binary for output in self.outputs)

    def json_bytes(self, body_bytes: int, pixels: int) -> int:
        """How many bytes of an answer to an image of so many pixels are JSON."""
        return body_bytes - pixels * sum(output.is_binary for output in self.outputs)

    def render(self, segmentation: Segmentation, digest: str) -> bytes:
        """The body: JSON, and after it the tensors that are asked for as bytes."""
        head = {"model_name": self.model_name, "model_version": version(digest)}
        if self.request_id is not None:
            head["id"] = self.request_id
        parts = [orjson.dumps(head)[:-1], b',"outputs":[']
        for number, output in enumerate(self.outputs):
            parts.append(b"," if number else b"")
            parts += _described(output, segmentation)
        parts.append(b"]}")
        tensors = [output.tensor(segmentation) for output in self.outputs if output.is_binary]
        return b"".join([*parts, *(np.ascontiguousarray(tensor).data for tensor in tensors)])


def version(digest: str) -> str:
    """Of the model, named after its weights: whoever reloads them serves another version."""
    return digest[:VERSION_DIGITS]


def _described(output: Output, segmentation: Segmentation) -> Iterator[bytes]:
    tensor = output.tensor(segmentation)
    described = {"name": output.name, "datatype": "UINT8", "shape": tensor.shape}
    if output.is_binary:
        yield orjson.dumps({**described, "parameters": {"binary_data_size": tensor.size}})
        return
    yield orjson.dumps(described)[:-1] + b',"data":['
    for top in range(0, len(tensor), _ROWS_AT_ONCE):  # orjson holds Python's lock while it works
        rows = np.ascontiguousarray(tensor[top : top + _ROWS_AT_ONCE]).reshape(-1)
        numbers = orjson.dumps(rows, option=orjson.OPT_SERIALIZE_NUMPY)
        yield numbers[1:-1] if top == 0 else b"," + numbers[1:-1]
    yield b"]}"
