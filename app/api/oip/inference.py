"""Parses a request: from JSON, and the bytes after it, to an image and the requested outputs."""

import gc
import struct
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import orjson
from pydantic import ValidationError

from app.api.oip.schemas import MODEL, ImageInput, InferenceRequest, PixelsInput
from app.formats.tensors import Output, Tensors
from app.images.raw import RawImage
from app.problems import BODY_MALFORMED, INVALID_REQUEST, ProblemError
from model.tiling import Tiling

_LENGTH = struct.Struct("<I")
"""Format of the length in front of each element of a BYTES tensor."""

_CHANNELS = 3

_DETAIL_CHARACTERS = 500
_FAULTS_TOLD = 3

_CHARACTER_BYTES = 4
"""Bytes per character in Python's widest strings."""

_VALUE_BYTES = 64
_MARKS = (b",", b":", b"[", b"{", b'"')
"""Every JSON value has at least one of these marks, an empty list two; ``_VALUE_BYTES`` is the size of the smallest
Python objects."""


@dataclass(frozen=True, slots=True)
class Inference:
    """A parsed request.

    Attributes:
        image: an image file, or pixels.
        tensors: the requested outputs.
        tiling: how the image is cut.
    """

    image: bytes | RawImage
    tensors: Tensors
    tiling: Tiling


def parsing_bytes(text: bytes) -> int:
    """Upper bound on the bytes of memory for parsing JSON: its characters and its values."""
    return _CHARACTER_BYTES * len(text) + _VALUE_BYTES * sum(text.count(mark) for mark in _MARKS)


def parse(text: bytes, binary: memoryview) -> Inference:
    """Parse a request.

    Args:
        text: JSON of the request.
        binary: the bytes after it.

    Raises:
        ProblemError: the request is malformed or invalid.
    """
    request = _validated(text)
    wanted = request.inputs[0]
    image = _raw_image(wanted, binary) if isinstance(wanted, PixelsInput) else _image_file(wanted, binary)
    return Inference(image, Tensors(MODEL, _outputs(request), request.id), request.parameters.tiling)


def _validated(text: bytes) -> InferenceRequest:
    try:
        document = _loaded(text)
    except ValueError as error:
        raise ProblemError(BODY_MALFORMED, f"the body is not valid JSON: {error}") from error
    try:
        return InferenceRequest.model_validate(document)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)[:_FAULTS_TOLD]
        detail = "; ".join(f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in faults)
        raise ProblemError(INVALID_REQUEST, detail[:_DETAIL_CHARACTERS].lstrip(": ")) from error


def _loaded(text: bytes) -> Any:
    """Parse JSON without garbage collection, which among so many new objects would make it, and the time for which it
    holds the GIL, ten times as long.
    """
    was_looking = gc.isenabled()
    gc.disable()
    try:
        return orjson.loads(text)
    finally:
        if was_looking:
            gc.enable()


def _outputs(request: InferenceRequest) -> tuple[Output, ...]:
    by_default = request.parameters.binary_data_output
    asked = [(output.name, output.parameters.binary_data) for output in request.outputs] or [("mask", None)]
    return tuple(Output(name, by_default if is_binary is None else is_binary) for name, is_binary in asked)


def _image_file(wanted: ImageInput, binary: memoryview) -> bytes:
    element = _binary(wanted, binary)
    if element is not None:
        is_whole = len(element) >= _LENGTH.size
        if not is_whole or _LENGTH.unpack_from(element)[0] != len(element) - _LENGTH.size:
            raise _invalid(wanted, f"its {len(element)} bytes are not one element, preceded by its length in 4 bytes")
        return bytes(element[_LENGTH.size :])
    assert wanted.data is not None
    try:
        # With or without MIME's lines of 76 characters.
        return b64decode("".join(wanted.data[0].split()), validate=True)
    except ValueError as error:
        raise _invalid(wanted, "its data is not a file in base64; it may also be sent as binary data") from error


def _raw_image(wanted: PixelsInput, binary: memoryview) -> RawImage:
    height, width, channels = wanted.shape
    if channels != _CHANNELS:
        raise _invalid(wanted, f"it has shape {wanted.shape}; [height, width, {_CHANNELS}] is read")
    pixels = _binary(wanted, binary)
    if pixels is None:
        pixels = memoryview(_row_major(wanted, wanted.data, wanted.shape))
    if len(pixels) != prod(wanted.shape):
        raise _invalid(wanted, f"it has shape {wanted.shape} and {len(pixels)} values")
    return RawImage(pixels, height, width)


def _binary(wanted: ImageInput | PixelsInput, binary: memoryview) -> memoryview | None:
    """The bytes of an input; None if the JSON contains its data."""
    size_bytes = wanted.parameters.binary_data_size
    if (size_bytes is None) == (wanted.data is None):
        raise _invalid(wanted, "it needs either data or the parameter binary_data_size, which Triton's clients set")
    if len(binary) != (size_bytes or 0):
        detail = f"{len(binary)} bytes follow the JSON, which announces {size_bytes or 0}"
        raise ProblemError(BODY_MALFORMED, f"{detail}; Inference-Header-Content-Length is the length of the JSON")
    return None if size_bytes is None else binary


def _row_major(wanted: PixelsInput, data: Any, shape: Sequence[int]) -> bytes:
    """Bytes of a tensor's values, which may be flat or nested by its shape."""
    if not isinstance(data, list):
        raise _not_nested(wanted)
    if len(shape) > 1 and len(data) == shape[0] and isinstance(data[0], list):
        parts = [_row_major(wanted, part, shape[1:]) for part in data]
        if {len(part) for part in parts} != {prod(shape[1:])}:
            raise _not_nested(wanted)
        return b"".join(parts)
    try:
        if set(map(type, data)) == {int}:
            return bytes(data)
    except ValueError:
        pass
    raise _invalid(wanted, "its data holds something other than integers of 0..255")


def _not_nested(wanted: PixelsInput) -> ProblemError:
    return _invalid(wanted, f"its data is not nested as the shape {wanted.shape} says")


def _invalid(wanted: ImageInput | PixelsInput, detail: str) -> ProblemError:
    return ProblemError(INVALID_REQUEST, f"input {wanted.name}: {detail}")
