"""The Open Inference Protocol with Triton's own client."""

import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.images.decode import decode_image
from tests.app.api.api_keys import KEYS, keys_file
from tests.app.server_process import ServerProcess

triton = pytest.importorskip("tritonclient.http", reason="the extra ecosystem is not installed")
utils = pytest.importorskip("tritonclient.utils")

ROOT = Path(__file__).parents[2]
MODEL = "segmentation"


@pytest.fixture(scope="module")
def client(server: ServerProcess) -> Iterator[Any]:
    with triton.InferenceServerClient(f"127.0.0.1:{server.port}", concurrency=4) as client:
        yield client


@pytest.fixture(scope="module")
def expected(server: ServerProcess, cat: bytes) -> NDArray[np.uint8]:
    return _png(server, cat)


def _png(server: ServerProcess, image: bytes, query: str = "") -> NDArray[np.uint8]:
    """Mask that POST /segment returns."""
    with server.client() as http:
        return np.asarray(Image.open(BytesIO(http.post(f"/segment?{query}", content=image).content)))


def _image(file: bytes) -> Any:
    wanted = triton.InferInput("image", [1], "BYTES")
    wanted.set_data_from_numpy(np.array([file], dtype=np.object_))
    return wanted


def _pixels(pixels: NDArray[np.uint8], *, binary_data: bool = True) -> Any:
    wanted = triton.InferInput("pixels", list(pixels.shape), "UINT8")
    wanted.set_data_from_numpy(pixels, binary_data=binary_data)
    return wanted


def _refusal(infer: Callable[[], Any]) -> tuple[str, str]:
    """The status and the sentence that the client raises."""
    with pytest.raises(utils.InferenceServerException) as caught:
        infer()
    return caught.value.status(), caught.value.message()


def test_the_server_is_live_and_ready_and_so_is_the_model(client: Any) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(MODEL)
    assert not client.is_model_ready("other")
    assert not client.is_model_ready(MODEL, "1")


def test_metadata_are_read(client: Any) -> None:
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    metadata = client.get_model_metadata(MODEL)
    assert [tensor["name"] for tensor in metadata["inputs"]] == ["image", "pixels"]
    assert client.get_model_metadata(MODEL, metadata["versions"][0]) == metadata
    assert client.get_model_config(MODEL)["max_batch_size"] == 0
    assert [entry["state"] for entry in client.get_model_repository_index()] == ["READY"]


def test_an_image_file_gives_the_mask_of_segment(client: Any, cat: bytes, expected: NDArray[np.uint8]) -> None:
    result = client.infer(MODEL, [_image(cat)], request_id="mine")
    mask = result.as_numpy("mask")
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, expected)
    assert (result.as_numpy("mask") == 8).mean() > 0.4
    response = result.get_response()
    assert (response["id"], response["model_name"]) == ("mine", MODEL)
    version = response["model_version"]
    np.testing.assert_array_equal(client.infer(MODEL, [_image(cat)], version).as_numpy("mask"), expected)


def test_an_image_file_may_be_base64_in_json(client: Any, cat: bytes, expected: NDArray[np.uint8]) -> None:
    wanted = triton.InferInput("image", [1], "BYTES")
    wanted.set_data_from_numpy(np.array([b64encode(cat)], dtype=np.object_), binary_data=False)
    np.testing.assert_array_equal(client.infer(MODEL, [wanted]).as_numpy("mask"), expected)


@pytest.mark.parametrize("binary_data", [True, False])
def test_pixels_give_the_mask_of_segment(
    client: Any, cat: bytes, expected: NDArray[np.uint8], *, binary_data: bool
) -> None:
    wanted = _pixels(decode_image(BytesIO(cat)), binary_data=binary_data)
    np.testing.assert_array_equal(client.infer(MODEL, [wanted]).as_numpy("mask"), expected)


@pytest.mark.parametrize("binary_data", [True, False])
def test_outputs_are_those_asked_for(
    client: Any, server: ServerProcess, cat: bytes, expected: NDArray[np.uint8], *, binary_data: bool
) -> None:
    outputs = [triton.InferRequestedOutput(name, binary_data=binary_data) for name in ("confidence", "mask")]
    result = client.infer(MODEL, [_image(cat)], outputs=outputs)
    np.testing.assert_array_equal(result.as_numpy("mask"), expected)
    np.testing.assert_array_equal(result.as_numpy("confidence"), _png(server, cat, "format=confidence"))
    assert client.infer(MODEL, [_image(cat)]).as_numpy("confidence") is None


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_compression_is_understood(client: Any, cat: bytes, expected: NDArray[np.uint8], algorithm: str) -> None:
    result = client.infer(
        MODEL,
        [_pixels(decode_image(BytesIO(cat)))],
        request_compression_algorithm=algorithm,
        response_compression_algorithm=algorithm,
    )
    np.testing.assert_array_equal(result.as_numpy("mask"), expected)


def test_parameters_reach_the_service(client: Any, server: ServerProcess, cat: bytes) -> None:
    result = client.infer(MODEL, [_image(cat)], parameters={"tiling": "overlap"})
    np.testing.assert_array_equal(result.as_numpy("mask"), _png(server, cat, "tiling=overlap"))


def test_requests_may_be_many_at_once(client: Any, cat: bytes, expected: NDArray[np.uint8]) -> None:
    waiting = [client.async_infer(MODEL, [_image(cat)], request_id=str(number)) for number in range(8)]
    for number, request in enumerate(waiting):
        result = request.get_result(timeout=120)
        np.testing.assert_array_equal(result.as_numpy("mask"), expected)
        assert result.get_response()["id"] == str(number)


def test_a_large_image_is_segmented_too(client: Any, server: ServerProcess, cat: bytes) -> None:
    large = np.tile(decode_image(BytesIO(cat)), (6, 5, 1))
    assert large.shape == (1800, 2255, 3)
    buffer = BytesIO()
    Image.fromarray(large).save(buffer, "PNG", compress_level=1)
    mask = client.infer(MODEL, [_pixels(large)]).as_numpy("mask")
    np.testing.assert_array_equal(mask, _png(server, buffer.getvalue()))


def test_errors_are_the_services_sentences(client: Any, server: ServerProcess, cat: bytes) -> None:
    with server.client() as http:
        sentence = http.post("/segment", content=b"hello").json()["detail"]
    assert _refusal(lambda: client.infer(MODEL, [_image(b"hello")])) == ("400", sentence)
    both = [_image(cat), _pixels(np.zeros((2, 2, 3), np.uint8))]
    status, said = _refusal(lambda: client.infer(MODEL, both))
    assert (status, "inputs" in said) == ("422", True)
    status, said = _refusal(lambda: client.infer("other", [_image(cat)]))
    assert (status, said) == ("404", "there is no model 'other'; the only one is segmentation")
    status, said = _refusal(lambda: client.infer(MODEL, [_image(cat)], parameters={"tilling": "whole"}))
    assert (status, "tilling" in said) == ("422", True)
    assert _refusal(lambda: client.infer(MODEL, [_image(cat)], "1"))[0] == "404"
    assert _refusal(lambda: client.get_inference_statistics(MODEL))[0] == "404"
    assert _refusal(lambda: client.load_model(MODEL))[0] == "404"
    assert _refusal(client.get_system_shared_memory_status)[0] == "404"


def test_keys_and_limits_are_told(start_server: Callable[..., ServerProcess], cat: bytes, tmp_path: Path) -> None:
    guarded = start_server(api_keys_file=keys_file(tmp_path), max_pixels=5000, rate_per_s=0.01, rate_burst=2)
    with triton.InferenceServerClient(f"127.0.0.1:{guarded.port}") as client:
        assert client.is_server_ready()
        assert _refusal(lambda: client.infer(MODEL, [_image(cat)]))[0] == "401"
        key = {"Authorization": f"Bearer {KEYS['segment']}"}
        assert client.get_model_metadata(MODEL, headers=key)["name"] == MODEL
        status, said = _refusal(lambda: client.infer(MODEL, [_image(cat)], headers=dict(key)))
        assert (status, "5000 are allowed" in said) == ("422", True)
        small = _pixels(np.zeros((20, 30, 3), np.uint8))
        assert client.infer(MODEL, [small], headers=dict(key)).as_numpy("mask").shape == (20, 30)
        assert _refusal(lambda: client.infer(MODEL, [small], headers=dict(key)))[0] == "429"


def test_the_example_prints_what_is_in_the_photograph(server: ServerProcess) -> None:
    command = [sys.executable, "examples/triton_client.py", "examples/cat.jpg", f"127.0.0.1:{server.port}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("(300, 451) uint8")
    assert "8" in done.stdout
