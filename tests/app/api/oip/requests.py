"""Requests of the Open Inference Protocol, built without its clients."""

import struct
from typing import Any

import httpx2
import numpy as np
import orjson
from numpy.typing import NDArray
from starlette.testclient import TestClient

INFER = "/v2/models/segmentation/infer"


def image_input(file: bytes) -> tuple[dict[str, Any], bytes]:
    """An input tensor's JSON, and the bytes that follow the JSON."""
    data = struct.pack("<I", len(file)) + file
    parameters = {"binary_data_size": len(data)}
    return {"name": "image", "shape": [1], "datatype": "BYTES", "parameters": parameters}, data


def pixels_input(pixels: NDArray[np.uint8]) -> tuple[dict[str, Any], bytes]:
    parameters = {"binary_data_size": pixels.size}
    return {"name": "pixels", "shape": pixels.shape, "datatype": "UINT8", "parameters": parameters}, pixels.tobytes()


def infer(
    client: TestClient | httpx2.Client,
    wanted: tuple[dict[str, Any], bytes],
    *,
    path: str = INFER,
    headers: dict[str, str] | None = None,
    **fields: Any,
) -> httpx2.Response:
    """Send an input as binary data, and return the response."""
    text = orjson.dumps({"inputs": [wanted[0]], **fields})
    own = {"Inference-Header-Content-Length": str(len(text)), **(headers or {})}
    response: httpx2.Response = client.post(path, content=text + wanted[1], headers=own)
    return response


def outputs(response: httpx2.Response) -> dict[str, NDArray[np.uint8]]:
    """The tensors of a response, by name."""
    assert response.status_code == 200, response.text
    length = response.headers.get("inference-header-content-length")
    is_binary = length is not None
    assert response.headers["content-type"] == ("application/octet-stream" if is_binary else "application/json")
    text = response.content if length is None else response.content[: int(length)]
    rest = response.content[len(text) :]
    found = {}
    for output in orjson.loads(text)["outputs"]:
        assert output["datatype"] == "UINT8"
        if "data" in output:
            flat = np.array(output["data"], np.uint8)
        else:
            size = output["parameters"]["binary_data_size"]
            flat, rest = np.frombuffer(rest[:size], np.uint8), rest[size:]
        found[output["name"]] = flat.reshape(output["shape"])
    assert not rest
    return found


def require_error(response: httpx2.Response, status: int) -> str:
    """Require an error in the protocol's form, and return its message."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"]
    document = response.json()
    assert list(document) == ["error"]
    sentence: str = document["error"]
    assert sentence
    return sentence
