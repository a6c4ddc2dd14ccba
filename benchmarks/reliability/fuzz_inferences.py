"""Bodies for the Open Inference Protocol, and what is almost one."""

import gzip
import json
import zlib
from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from hypothesis import strategies as st

from app.api.oip.body import LENGTH_HEADER
from benchmarks.reliability.fuzz_strategies import damaged, damages, weighted
from model.tiling import Tiling

Headers: TypeAlias = tuple[tuple[str, str], ...]
_Input: TypeAlias = tuple[dict[str, Any], bytes]
"""An input, and what of it follows the JSON."""

_MOST_WIDTH = 60
_VALUES_IN_JSON = 600

_COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress}


def inferences(images: st.SearchStrategy[bytes]) -> st.SearchStrategy[tuple[Headers, bytes]]:
    """Headers and bodies; images as files, and their bytes as if they were pixels."""
    ways = st.sampled_from((_file_as_bytes, _file_as_bytes, _file_in_base64, _pixels_as_bytes, _pixels_in_json))
    inputs = st.builds(lambda way, image: way(image), ways, images)
    output = st.fixed_dictionaries(
        {"name": st.sampled_from(("mask", "confidence"))},
        optional={"parameters": st.fixed_dictionaries({"binary_data": st.booleans()})},
    )
    right = st.fixed_dictionaries(
        {},
        optional={
            "id": st.text(max_size=20),
            "outputs": st.lists(output, max_size=2),
            "parameters": st.fixed_dictionaries(
                {}, optional={"tiling": st.sampled_from(Tiling), "binary_data_output": st.booleans()}
            ),
        },
    )
    wrong = st.dictionaries(st.sampled_from(("id", "inputs", "outputs", "parameters")), st.text(max_size=8), min_size=1)
    documents = weighted((9, right), (1, wrong))
    errors = weighted((9, st.just(0)), (1, st.integers(-100, 100)))  # of the announced length
    encodings = weighted((2, st.none()), (1, st.sampled_from(tuple(_COMPRESSIONS))))
    return st.builds(_inference, inputs, documents, errors, encodings, damages(one_in=4))


def _inference(
    given: _Input, document: dict[str, Any], error: int, encoding: str | None, damage: int | None
) -> tuple[Headers, bytes]:
    described, binary = given
    text = json.dumps({"inputs": [described], **document}).encode()
    headers = [(LENGTH_HEADER, str(len(text) + error))] if binary or error else []
    body = damaged(text + binary, damage)
    if encoding is not None:
        headers.append(("Content-Encoding", encoding))
        body = damaged(_COMPRESSIONS[encoding](body), damage)
    return tuple(headers), body


def _file_as_bytes(image: bytes) -> _Input:
    element = len(image).to_bytes(4, "little") + image
    return _described("image", [1], parameters={"binary_data_size": len(element)}), element


def _file_in_base64(image: bytes) -> _Input:
    return _described("image", [1], data=[b64encode(image).decode()]), b""


def _pixels_as_bytes(image: bytes) -> _Input:
    shape, values = _pixels(image)
    return _described("pixels", shape, parameters={"binary_data_size": len(values)}), values


def _pixels_in_json(image: bytes) -> _Input:
    shape, values = _pixels(image[:_VALUES_IN_JSON])
    return _described("pixels", shape, data=[*values]), b""


def _pixels(image: bytes) -> tuple[list[int], bytes]:
    """As many rows as the bytes make, of a width that they choose."""
    width = 1 + sum(image[-1:]) % _MOST_WIDTH
    height = len(image) // (3 * width)
    return [height, width, 3], image[: height * width * 3]


def _described(name: str, shape: Sequence[int], **rest: object) -> dict[str, Any]:
    return {"name": name, "datatype": "BYTES" if name == "image" else "UINT8", "shape": shape, **rest}
