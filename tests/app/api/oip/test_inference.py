from base64 import b64encode, encodebytes
from typing import Any

import numpy as np
import orjson
import pytest
from numpy.typing import NDArray

from app.api.oip.inference import parse, parsing_bytes
from app.formats.tensors import Output
from app.images.pool import Decoders
from app.images.raw import RawImage
from app.problems import BODY_MALFORMED, INVALID_REQUEST, ProblemError
from model.tiling import Tiling
from tests.app.api.oip.requests import image_input, pixels_input

PIXELS = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
FILE = bytes(range(200))


def _pixels(data: Any, shape: Any = PIXELS.shape) -> dict[str, Any]:
    return {"name": "pixels", "shape": shape, "datatype": "UINT8", "data": data}


def _image(data: Any) -> dict[str, Any]:
    return {"name": "image", "shape": [1], "datatype": "BYTES", "data": data}


def _parse(wanted: dict[str, Any], binary: bytes = b"", **fields: Any) -> Any:
    return parse(orjson.dumps({"inputs": [wanted], **fields}), memoryview(binary))


def _decoded(image: RawImage) -> NDArray[np.uint8]:
    assert isinstance(image, RawImage)
    return image.decode(Decoders(0, max_pixels=0), lambda: None)


def _contents(image: bytes | RawImage) -> bytes:
    return image if isinstance(image, bytes) else _decoded(image).tobytes()


@pytest.mark.parametrize("data", [PIXELS.ravel().tolist(), PIXELS.tolist(), PIXELS.reshape(2, 9).tolist()])
def test_pixels_in_json_are_flat_or_nested(data: Any) -> None:
    inference = _parse(_pixels(data))
    np.testing.assert_array_equal(_decoded(inference.image), PIXELS)


def test_pixels_as_bytes_are_the_same() -> None:
    np.testing.assert_array_equal(_decoded(_parse(*pixels_input(PIXELS)).image), PIXELS)


def test_a_file_comes_as_an_element_of_bytes_or_in_base64() -> None:
    assert _parse(*image_input(b"a file")).image == b"a file"
    assert _parse(_image([b64encode(b"a file").decode()])).image == b"a file"


def test_the_mask_is_the_default_output() -> None:
    wanted = image_input(b"")
    assert _parse(*wanted).tensors.outputs == (Output("mask", is_binary=False),)
    assert _parse(*wanted, parameters={"binary_data_output": True}).tensors.outputs == (Output("mask", is_binary=True),)


def test_an_output_decides_for_itself_how_it_comes() -> None:
    asked = [{"name": "confidence", "parameters": {"binary_data": False}}, {"name": "mask"}]
    tensors = _parse(*image_input(b""), outputs=asked, parameters={"binary_data_output": True}).tensors
    assert tensors.outputs == (Output("confidence", is_binary=False), Output("mask", is_binary=True))
    assert tensors.wants_confidence


def test_tiling_is_a_parameter() -> None:
    assert _parse(*image_input(b"")).tiling is Tiling.AUTO
    assert _parse(*image_input(b""), parameters={"tiling": "overlap"}).tiling is Tiling.OVERLAP


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (_pixels([1, 2, 3]), "3 values"),
        (_pixels([256] * 18), "0..255"),
        (_pixels([-1] * 18), "0..255"),
        (_pixels([1.0] * 18), "0..255"),
        (_pixels([True] * 18), "0..255"),
        (_pixels([None] * 18), "0..255"),
        (_pixels(["1"] * 18), "0..255"),
        (_pixels([[1, 2], 3]), "nested"),
        (_pixels([[[[1]]]], [1, 1, 3]), "0..255"),
        (_pixels([[1, 2], [3, 4, 5, 6]], [2, 1, 3]), "nested"),
        (_pixels([]), "at least 1"),
        (_pixels({}), "list"),
        (_pixels(PIXELS.tolist(), [3, 2, 3]), "0..255"),
        (_pixels([1], [1, 1, 1]), "[height, width, 3]"),
        (_pixels([1], [0, 1, 3]), "greater than or equal to 1"),
        (_pixels([1], [-1, -1, 3]), "greater than or equal to 1"),
        (_pixels([1], [2**63, 2**63, 3]), "1 values"),
        (_pixels([1], [1, 3]), "at least 3"),
        (_pixels([1], [1, 1, 3] * 10000), "at most 3"),
        (_pixels([1], [1.5, 1, 3]), "integer"),
        ({**_pixels([1]), "datatype": "FP32"}, "UINT8"),
        ({**_pixels([1]), "name": "x" * 10000}, "'image', 'pixels'"),
        ({**_pixels([1]), "parameters": {"binary_data_size": 18}}, "either data or"),
        ({**_pixels([1]), "parameters": {"shared_memory_region": "r"}}, "shared_memory_region"),
        ({**_pixels([1]), "parameters": {str(number): 0 for number in range(10000)}}, "10000"),
        (_image(["no base64!"]), "base64"),
        (_image(["ä"]), "base64"),
        (_image([1]), "string"),
        (_image(["", ""]), "at most 1"),
        ({**_image([""]), "shape": [2]}, "1"),
        ({"name": "image", "shape": [1], "datatype": "BYTES"}, "either data or"),
    ],
)
def test_what_does_not_fit_is_told(wanted: dict[str, Any], said: str) -> None:
    with pytest.raises(ProblemError) as caught:
        _parse(wanted)
    assert caught.value.problem is INVALID_REQUEST
    assert said in caught.value.detail or len(caught.value.detail) == 500
    assert len(caught.value.detail) <= 600


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"{",
        b"\xff",
        b"NaN",
        b'{"inputs": [NaN]}',
        b"[" * 100_000,
        b'"\\ud800"',
    ],
)
def test_what_is_no_json_is_malformed(document: bytes) -> None:
    with pytest.raises(ProblemError) as caught:
        parse(document, memoryview(b""))
    assert caught.value.problem is BODY_MALFORMED


@pytest.mark.parametrize("document", [b"null", b"[]", b"1", b'"x"', b"{}", b'{"inputs":[]}', b'{"inputs":null}'])
def test_what_is_no_request_is_invalid(document: bytes) -> None:
    with pytest.raises(ProblemError) as caught:
        parse(document, memoryview(b""))
    assert caught.value.problem is INVALID_REQUEST


@pytest.mark.parametrize("element", [b"", b"abc", b"\x05\0\0\0abcd", b"\x03\0\0\0abcd", b"\xff\xff\xff\xffabcd"])
def test_an_element_of_bytes_has_the_length_that_it_says(element: bytes) -> None:
    wanted = {"name": "image", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": len(element)}}
    with pytest.raises(ProblemError, match="not one element"):
        _parse(wanted, element)


@pytest.mark.parametrize("size", [0, 17, 19, 2**62])
def test_bytes_that_are_not_announced_or_missing_are_told(size: int) -> None:
    wanted, binary = pixels_input(PIXELS)
    with pytest.raises(ProblemError, match="18 bytes follow the JSON"):
        _parse({**wanted, "parameters": {"binary_data_size": size}}, binary)


def test_memory_for_reading_json_is_told_beforehand() -> None:
    assert parsing_bytes(b"[1,2]") == 5 * 4 + 2 * 64


@pytest.mark.parametrize("line_end", ["\n", "\r\n", " "])
def test_base64_may_be_in_lines(line_end: str) -> None:
    lines = encodebytes(FILE).decode().replace("\n", line_end)
    assert lines.count(line_end) > 1
    assert _parse(_image([lines])).image == FILE


@pytest.mark.parametrize(
    "wanted",
    [
        _image([b64encode(b"x").decode()]) | {"parameters": None},
        _image([b64encode(b"x").decode()]) | {"parameters": {"binary_data_size": None}},
        _pixels(PIXELS.tolist()) | {"parameters": None},
    ],
)
@pytest.mark.parametrize(
    "fields",
    [
        {"id": None, "parameters": None, "outputs": None},
        {"parameters": {"tiling": None, "binary_data_output": None}},
        {"outputs": [{"name": "mask", "parameters": None}]},
        {"outputs": [{"name": "mask", "parameters": {"binary_data": None}}]},
        {"parameters": {"another": None}, "another": None},
    ],
)
def test_null_is_as_good_as_absent(wanted: dict[str, Any], fields: dict[str, Any]) -> None:
    inference = _parse(wanted, **fields)
    plain = _parse({name: value for name, value in wanted.items() if name != "parameters"})
    assert _contents(inference.image) == _contents(plain.image)
    assert inference.tensors.outputs == (Output("mask", is_binary=False),)
    assert inference.tiling is Tiling.AUTO


def test_what_is_needed_may_not_be_null() -> None:
    for wanted in (_image(None), _image([None]), _pixels([[None]])):
        with pytest.raises(ProblemError):
            _parse(wanted)
