import gzip
import zlib
from base64 import b64encode
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from numpy.typing import NDArray
from PIL import Image
from starlette.testclient import TestClient

from app import __version__, problems
from app.api.application import create_app
from app.api.oip.body import MAX_JSON_BYTES
from app.images.decode import decode_image
from app.settings import Settings
from tests.app.api.api_keys import KEYS, bearer, keys_file
from tests.app.api.oip.requests import INFER, image_input, infer, outputs, pixels_input, require_error
from tests.app.problems import require_problem

BINARY = {"binary_data_output": True}
BOTH = [{"name": "mask"}, {"name": "confidence"}]


def png_pixels(client: TestClient, image: bytes, query: str = "") -> NDArray[np.uint8]:
    return np.asarray(Image.open(BytesIO(client.post(f"/segment?{query}", content=image).content)))


@pytest.fixture(scope="module")
def version(client: TestClient) -> str:
    sha256: str = client.get("/model").json()["sha256"]
    return sha256[:12]


@pytest.mark.parametrize("parameters", [{}, BINARY])
def test_the_mask_is_that_of_segment(client: TestClient, cat: bytes, parameters: dict[str, Any]) -> None:
    expected = png_pixels(client, cat)
    for wanted in (image_input(cat), pixels_input(decode_image(BytesIO(cat)))):
        found = outputs(infer(client, wanted, parameters=parameters))
        assert list(found) == ["mask"]
        np.testing.assert_array_equal(found["mask"], expected)


def test_json_alone_will_do(client: TestClient, cat: bytes) -> None:
    expected = png_pixels(client, cat)
    image = {"name": "image", "shape": [1], "datatype": "BYTES", "data": [b64encode(cat).decode()]}
    pixels = decode_image(BytesIO(cat))
    flat = {"name": "pixels", "shape": pixels.shape, "datatype": "UINT8", "data": pixels.ravel().tolist()}
    for wanted in (image, flat, {**flat, "data": pixels.tolist()}):
        np.testing.assert_array_equal(outputs(client.post(INFER, json={"inputs": [wanted]}))["mask"], expected)


def test_confidence_comes_if_asked_for_in_the_order_asked(client: TestClient, cat: bytes) -> None:
    confidence = png_pixels(client, cat, "format=confidence")
    for asked in (BOTH, BOTH[::-1], [BOTH[1]]):
        for parameters in ({}, BINARY):
            found = outputs(infer(client, image_input(cat), outputs=asked, parameters=parameters))
            assert list(found) == [output["name"] for output in asked]
            np.testing.assert_array_equal(found["confidence"], confidence)
    mixed = [{**BOTH[0], "parameters": {"binary_data": True}}, BOTH[1]]
    found = outputs(infer(client, image_input(cat), outputs=mixed))
    np.testing.assert_array_equal(found["confidence"], confidence)
    np.testing.assert_array_equal(found["mask"], png_pixels(client, cat))


def test_the_answer_tells_the_model_its_version_and_the_requests_id(
    client: TestClient, cat: bytes, version: str
) -> None:
    response = infer(client, image_input(cat), id="mine")
    document = response.json()
    assert (document["model_name"], document["model_version"], document["id"]) == ("segmentation", version, "mine")
    assert "id" not in infer(client, image_input(cat)).json()
    assert response.headers["x-checkpoint-sha256"].startswith(version)
    assert response.headers["x-request-id"]
    assert "forward;dur=" in response.headers["server-timing"]
    assert int(response.headers["content-length"]) == len(response.content)


def test_tiling_is_heeded(client: TestClient, cat: bytes) -> None:
    expected = png_pixels(client, cat, "tiling=overlap")
    found = outputs(infer(client, image_input(cat), parameters={"tiling": "overlap", **BINARY}))["mask"]
    np.testing.assert_array_equal(found, expected)
    assert (found != png_pixels(client, cat)).any()


def test_a_large_image_is_segmented_band_by_band_too(client: TestClient, cat: bytes) -> None:
    settings = Settings(threads=1, small_image_pixels=1, band_pixels=1024)
    pixels = decode_image(BytesIO(cat))
    with TestClient(create_app(settings)) as banded:
        for parameters in ({}, BINARY):
            found = outputs(infer(banded, pixels_input(pixels), outputs=BOTH, parameters=parameters))
            assert (found["mask"] != png_pixels(client, cat)).mean() < 1e-3
            assert found["confidence"].shape == (300, 451)
        assert "fcn_unfinished_requests 0.0" in banded.get("/metrics").text


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_compressed_bodies_are_inflated(client: TestClient, cat: bytes, encoding: str, compress: Any) -> None:
    pixels = np.zeros((700, 700, 3), np.uint8)
    pixels[200:500, 100:551] = decode_image(BytesIO(cat))
    wanted, data = pixels_input(pixels)
    plain = outputs(infer(client, (wanted, data), parameters=BINARY))["mask"]
    text = orjson.dumps({"inputs": [wanted], "parameters": BINARY})
    headers = {"Inference-Header-Content-Length": str(len(text)), "Content-Encoding": encoding}
    compressed = compress(text + data)
    np.testing.assert_array_equal(outputs(client.post(INFER, content=compressed, headers=headers))["mask"], plain)
    in_parts = (compressed[at : at + 1000] for at in range(0, len(compressed), 1000))
    np.testing.assert_array_equal(outputs(client.post(INFER, content=in_parts, headers=headers))["mask"], plain)
    for damaged in (compressed[:-9], compressed + b"x", b"x" + compressed, b""):
        assert "compressed body" in require_error(client.post(INFER, content=damaged, headers=headers), 400)


def test_inflating_stops_at_the_bound(client: TestClient) -> None:
    bomb = zlib.compress(bytes(200 << 20))
    assert len(bomb) < 1 << 20
    response = client.post(INFER, content=bomb, headers={"Content-Encoding": "deflate"})
    assert "inflated" in require_error(response, 413)
    assert "fcn_body_bytes 0.0" in client.get("/metrics").text


def test_other_compressions_are_refused(client: TestClient) -> None:
    response = client.post(INFER, content=b"x", headers={"Content-Encoding": "br"})
    assert "gzip" in require_error(response, 415)
    assert response.headers["accept-encoding"] == "gzip, deflate"


@pytest.mark.parametrize("length", ["-1", "x", "1e3", "9" * 30, "", " ", "²"])
def test_a_length_that_is_none_is_malformed(client: TestClient, cat: bytes, length: str) -> None:
    headers = {"Inference-Header-Content-Length": length.encode("latin-1")}
    response = client.post(INFER, content=b"{}", headers=headers)  # type: ignore[arg-type]
    assert "not a number of bytes" in require_error(response, 400)


@pytest.mark.parametrize("shift", [-2, -1, 1, 2, 10**6])
def test_a_length_that_lies_is_told(client: TestClient, cat: bytes, shift: int) -> None:
    wanted, data = image_input(cat)
    text = orjson.dumps({"inputs": [wanted]})
    headers = {"Inference-Header-Content-Length": str(len(text) + shift)}
    require_error(client.post(INFER, content=text + data, headers=headers), 400)


def test_what_is_no_image_is_told_in_the_words_of_segment(client: TestClient, cat: bytes) -> None:
    def told(file: bytes) -> str:
        detail: str = client.post("/segment", content=file).json()["detail"]
        return detail

    assert require_error(infer(client, image_input(b"hello")), 400) == told(b"hello")
    assert require_error(infer(client, image_input(b"%PDF-1.7 ...")), 415) == told(b"%PDF-1.7 ...")
    assert require_error(infer(client, image_input(cat[:9000])), 400) == told(cat[:9000])


def test_limits_are_kept_and_named(cat: bytes, small_weights: Path) -> None:
    settings = Settings(
        threads=1, weights=small_weights, max_upload_bytes=100_000, max_pixels=5000, max_whole_pixels=2048
    )
    with TestClient(create_app(settings)) as client:
        many = np.zeros((70, 80, 3), np.uint8)
        assert "5000 are allowed" in require_error(infer(client, pixels_input(many)), 422)
        whole = infer(client, pixels_input(many[:64, :64]), parameters={"tiling": "whole"})
        assert "2048" in require_error(whole, 422)
        assert "100000 are allowed" in require_error(infer(client, image_input(bytes(100_001))), 413)
        assert "allowed" in require_error(infer(client, image_input(bytes(200_000))), 413)
        in_parts = (bytes(1000) for _ in range(200))
        assert "allowed" in require_error(client.post(INFER, content=in_parts), 413)


def test_long_json_is_refused(client: TestClient) -> None:
    text = b'{"inputs":[{"name":"pixels","shape":[1,1,3],"datatype":"UINT8","data":[0,0,0' + b" " * MAX_JSON_BYTES
    assert "as binary data" in require_error(client.post(INFER, content=text + b"]}]}"), 413)


def test_memory_for_reading_json_is_taken_from_that_of_bodies(client: TestClient, small_weights: Path) -> None:
    pixels = np.zeros((200, 300, 3), np.uint8)
    wanted = {"name": "pixels", "shape": pixels.shape, "datatype": "UINT8", "data": pixels.ravel().tolist()}
    assert client.post(INFER, json={"inputs": [wanted]}).status_code == 200
    assert "fcn_body_bytes 0.0" in client.get("/metrics").text
    with TestClient(create_app(Settings(threads=1, weights=small_weights, body_memory_bytes=2_000_000))) as narrow:
        response = narrow.post(INFER, json={"inputs": [wanted]})
        assert "bodies" in require_error(response, 429)
        assert int(response.headers["retry-after"]) >= 1
        assert infer(narrow, pixels_input(pixels), parameters=BINARY).status_code == 200


def test_a_full_queue_is_told_with_retry_after(cat: bytes, small_weights: Path) -> None:
    with TestClient(create_app(Settings(threads=1, weights=small_weights, body_memory_bytes=1000))) as client:
        response = infer(client, image_input(cat))
        require_error(response, 429)
        assert int(response.headers["retry-after"]) >= 1


def test_a_missed_deadline_is_told(cat: bytes, small_weights: Path) -> None:
    with TestClient(create_app(Settings(threads=1, weights=small_weights, deadline_s=0.001))) as client:
        require_error(infer(client, image_input(cat)), 504)


def test_the_rate_is_limited_as_that_of_segment(cat: bytes, small_weights: Path) -> None:
    with TestClient(create_app(Settings(threads=1, weights=small_weights, rate_per_s=0.01, rate_burst=2))) as client:
        assert infer(client, image_input(cat)).status_code == 200
        assert client.post("/segment", content=cat).status_code == 200
        response = infer(client, image_input(cat))
        require_error(response, 429)
        require_problem(client.post("/segment", content=cat), problems.RATE_LIMITED)
        assert int(response.headers["retry-after"]) >= 1


def test_health(client: TestClient, version: str) -> None:
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    ready = {"name": "segmentation", "ready": True}
    assert client.get("/v2/models/segmentation/ready").json() == ready
    assert client.get(f"/v2/models/segmentation/versions/{version}/ready").json() == ready


def test_before_the_start_nothing_is_ready(cat: bytes) -> None:
    client = TestClient(create_app(Settings()))
    assert client.get("/v2/health/live").json() == {"live": True}
    for path in ("/v2/health/ready", "/v2/models/segmentation/ready", "/v2/models/segmentation"):
        response = client.get(path)
        require_error(response, 503)
    require_error(infer(client, image_input(cat)), 503)


def test_metadata_tell_what_is_read_and_answered(client: TestClient, version: str) -> None:
    server = client.get("/v2").json()
    assert server == {
        "name": "fcn-segmentation",
        "version": __version__,
        "extensions": ["binary_tensor_data", "model_configuration"],
    }
    model = client.get("/v2/models/segmentation").json()
    assert (model["name"], model["versions"]) == ("segmentation", [version])
    assert {tensor["name"]: (tensor["datatype"], tensor["shape"]) for tensor in model["inputs"]} == {
        "image": ("BYTES", [1]),
        "pixels": ("UINT8", [-1, -1, 3]),
    }
    assert {tensor["name"]: (tensor["datatype"], tensor["shape"]) for tensor in model["outputs"]} == {
        "mask": ("UINT8", [-1, -1]),
        "confidence": ("UINT8", [-1, -1]),
    }
    assert client.get(f"/v2/models/segmentation/versions/{version}").json() == model
    configuration = client.get("/v2/models/segmentation/config").json()
    assert configuration == client.get(f"/v2/models/segmentation/versions/{version}/config").json()
    assert [tensor["data_type"] for tensor in configuration["input"]] == ["TYPE_STRING", "TYPE_UINT8"]
    index = client.post("/v2/repository/index").json()
    assert index == [{"name": "segmentation", "version": version, "state": "READY", "reason": ""}]


def test_a_version_names_the_weights(client: TestClient, cat: bytes, version: str) -> None:
    path = f"/v2/models/segmentation/versions/{version}/infer"
    assert outputs(infer(client, image_input(cat), path=path))["mask"].shape == (300, 451)
    for other in ("1", "0" * 12):
        said = require_error(
            infer(client, image_input(cat), path=f"/v2/models/segmentation/versions/{other}/infer"), 404
        )
        assert version in said


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v2/models/other"),
        ("GET", "/v2/models/other/ready"),
        ("GET", "/v2/models/stats"),
        ("POST", "/v2/models/other/infer"),
        ("POST", "/v2/models/%2e%2e/infer"),
        ("GET", "/v2/nowhere"),
        ("POST", "/v2/repository/models/segmentation/load"),
        ("GET", "/v2/models/segmentation/versions/1"),
    ],
)
def test_what_there_is_not_is_told_in_the_protocols_form(client: TestClient, method: str, path: str) -> None:
    require_error(client.request(method, path), 404)


def test_another_method_is_told_in_the_protocols_form(client: TestClient) -> None:
    response = client.get(INFER)
    require_error(response, 405)
    assert response.headers["allow"] == "POST"
    require_error(client.post("/v2/health/live"), 405)


def test_other_paths_have_problem_documents_as_before(client: TestClient) -> None:
    for path in ("/v2x", "/v1", "/V2/models"):
        require_problem(client.get(path), problems.NOT_FOUND)


def test_a_fault_of_the_service_is_told_with_the_requests_id(
    client: TestClient, cat: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr("app.pipeline.request.SegmentRequest.decode", fail)
    response = infer(client, image_input(cat))
    assert response.headers["x-request-id"] in require_error(response, 500)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, small_weights: Path) -> Iterator[TestClient]:
    settings = Settings(threads=1, weights=small_weights, api_keys_file=keys_file(tmp_path_factory.mktemp("keys")))
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


GUARDED = [
    ("GET", "/v2"),
    ("GET", "/v2/models/segmentation"),
    ("GET", "/v2/models/segmentation/config"),
    ("GET", "/v2/models/segmentation/versions/1"),
    ("POST", "/v2/repository/index"),
    ("POST", INFER),
    ("POST", "/v2/models/segmentation/versions/1/infer"),
    ("POST", "/v2/models/other/infer"),
]


@pytest.mark.parametrize(("method", "path"), GUARDED)
def test_keys_are_asked_for_as_for_segment(guarded: TestClient, method: str, path: str) -> None:
    response = guarded.request(method, path)
    require_error(response, 401)
    assert response.headers["www-authenticate"] == "Bearer"
    require_error(guarded.request(method, path, headers=bearer("metrics")), 403)


def test_a_key_opens_infer_and_health_is_open(guarded: TestClient, cat: bytes) -> None:
    for headers in (bearer("segment"), {"X-API-Key": KEYS["segment"]}):
        assert infer(guarded, image_input(cat), headers=headers).status_code == 200
    for path in ("/v2/health/live", "/v2/health/ready", "/v2/models/segmentation/ready"):
        assert guarded.get(path).status_code == 200


def test_metrics_know_the_route(client: TestClient, cat: bytes) -> None:
    infer(client, image_input(cat))
    text = client.get("/metrics").text
    assert 'fcn_requests_total{method="POST",route="/v2/models/{model}/infer",status="200"}' in text
