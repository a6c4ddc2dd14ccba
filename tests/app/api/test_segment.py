import base64
import encodings
import gzip
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import httpx2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from starlette.testclient import TestClient

from app import problems
from app.api.application import create_app
from app.formats.overlay import blend
from app.formats.rle import decode_rle
from app.images.decode import decode_image
from app.settings import Settings
from model.labels import VOC
from model.tiling import Tiling
from tests.app.problems import require_problem

JPEG = {"Content-Type": "image/jpeg"}


def pixels(response: httpx2.Response) -> NDArray[np.uint8]:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "image/png"
    return np.asarray(Image.open(BytesIO(response.content)))


def png_of(image: Image.Image) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.every_cpu
def test_a_cat_is_found(client: TestClient, cat: bytes) -> None:
    mask = pixels(client.post("/segment", files={"image": ("cat.jpg", cat, "image/jpeg")}))
    assert mask.shape == (300, 451)
    assert (mask == VOC.names.index("cat")).mean() > 0.4


def test_form_and_raw_body_give_the_same_mask(client: TestClient, cat: bytes) -> None:
    form = client.post("/segment", files={"image": cat})
    raw = client.post("/segment", content=cat, headers=JPEG)
    octets = client.post("/segment", content=cat, headers={"Content-Type": "application/octet-stream"})
    unlabelled = client.post("/segment", content=cat)
    mislabelled = client.post("/segment", content=cat, headers={"Content-Type": "image/gif"})
    for response in (raw, octets, unlabelled, mislabelled):
        np.testing.assert_array_equal(pixels(response), pixels(form))


@pytest.mark.every_cpu
def test_all_formats_agree_pixel_for_pixel(client: TestClient, cat: bytes) -> None:
    def ask(query: str) -> httpx2.Response:
        return client.post(f"/segment?{query}", content=cat, headers=JPEG)

    mask = pixels(ask("format=png"))
    rows = ask("format=json").json()
    np.testing.assert_array_equal(rows["mask"], mask)
    inner = base64.b64decode(ask("format=json&mask=png").json()["mask"])
    np.testing.assert_array_equal(np.asarray(Image.open(BytesIO(inner))), mask)
    for entry in ask("format=json&mask=rle").json()["mask"]:
        np.testing.assert_array_equal(decode_rle(entry["counts"], *mask.shape), mask == entry["index"])
    assert {share["index"]: share["pixels"] for share in rows["classes"]} == dict(
        zip(*(part.tolist() for part in np.unique(mask, return_counts=True)), strict=True)
    )
    photograph = decode_image(BytesIO(cat))
    blended = photograph.copy()
    blend(blended, mask, VOC, 0.7)
    np.testing.assert_array_equal(pixels(ask("format=overlay&alpha=0.7")), blended)
    assert pixels(ask("format=confidence")).shape == mask.shape


@settings(max_examples=15)
@given(
    height=st.integers(1, 100), width=st.integers(1, 100), tiling=st.sampled_from(["auto", "whole", "exact", "overlap"])
)
def test_the_mask_has_the_images_size(client: TestClient, height: int, width: int, tiling: Tiling) -> None:
    body = png_of(Image.new("RGB", (width, height), "green"))
    assert pixels(client.post(f"/segment?tiling={tiling}", content=body)).shape == (height, width)


def test_format_beats_accept(client: TestClient, cat: bytes) -> None:
    headers = {**JPEG, "Accept": "application/json"}
    assert client.post("/segment", content=cat, headers=headers).headers["content-type"] == "application/json"
    assert client.post("/segment?format=png", content=cat, headers=headers).headers["content-type"] == "image/png"


def test_headers_tell_timing_digest_and_id(client: TestClient, cat: bytes) -> None:
    response = client.post("/segment", content=cat, headers={**JPEG, "X-Request-ID": "mine-1"})
    stages = [part.strip().split(";dur=") for part in response.headers["server-timing"].split(",")]
    assert [name for name, _ in stages] == ["queue", "decode", "preprocess", "forward", "upsample", "encode"]
    assert all(float(duration) >= 0 for _, duration in stages)
    digest = client.get("/model").json()["sha256"]
    assert response.headers["x-checkpoint-sha256"] == digest
    assert Image.open(BytesIO(response.content)).info["Checkpoint-SHA256"] == digest
    assert response.headers["x-request-id"] == "mine-1"


def test_a_harmful_request_id_is_replaced(client: TestClient) -> None:
    response = client.get("/livez", headers={"X-Request-ID": 'x" injected'})
    assert response.headers["x-request-id"] != 'x" injected'


def test_nothing_at_all_is_no_image(client: TestClient) -> None:
    require_problem(client.post("/segment"), problems.NOT_AN_IMAGE)


@pytest.mark.every_cpu
def test_a_text_file_is_no_image(client: TestClient) -> None:
    require_problem(client.post("/segment", files={"image": b"hello"}), problems.NOT_AN_IMAGE)


@pytest.mark.every_cpu
def test_half_a_photograph_is_damaged(client: TestClient, cat: bytes) -> None:
    require_problem(client.post("/segment", content=cat[: len(cat) // 2], headers=JPEG), problems.IMAGE_DAMAGED)


def test_a_pdf_is_unsupported(client: TestClient) -> None:
    document = require_problem(
        client.post("/segment", content=b"%PDF-1.7 ...", headers=JPEG), problems.UNSUPPORTED_FORMAT
    )
    assert "PDF" in document["detail"]


def test_a_body_of_another_type_is_unsupported(client: TestClient) -> None:
    response = client.post("/segment", json={"image": "..."})
    document = require_problem(response, problems.UNSUPPORTED_FORMAT)
    assert "application/json" in document["detail"]


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd"])
def test_a_compressed_body_is_unsupported(client: TestClient, cat: bytes, encoding: str) -> None:
    headers = {**JPEG, "Content-Encoding": encoding}
    answered = client.post("/segment", content=gzip.compress(cat), headers=headers)
    assert f"Content-Encoding {encoding} is" in require_problem(answered, problems.UNSUPPORTED_FORMAT)["detail"]
    assert client.post("/segment", content=cat, headers={**JPEG, "Content-Encoding": "identity"}).status_code == 200


@pytest.mark.parametrize("query", ["format=json&format=png", "alpha=1&mask=rle&mask=rle"])
def test_a_parameter_that_is_there_twice_is_refused(client: TestClient, cat: bytes, query: str) -> None:
    answered = client.post(f"/segment?{query}", content=cat, headers=JPEG)
    assert "more than one" in require_problem(answered, problems.INVALID_REQUEST)["detail"]


def test_a_form_without_the_field_is_invalid(client: TestClient, cat: bytes) -> None:
    document = require_problem(client.post("/segment", files={"picture": cat}), problems.INVALID_REQUEST)
    assert "image is missing" in document["detail"]


def test_text_in_the_forms_field_is_no_image(client: TestClient) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="image"\r\n\r\nhello\r\n--b--\r\n'
    response = client.post("/segment", content=body, headers={"Content-Type": "multipart/form-data; boundary=b"})
    document = require_problem(response, problems.NOT_AN_IMAGE)
    assert "5 bytes" in document["detail"]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=b", b"no boundary here"),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="image"; filename="x"\r\n\r\ncut o',
        ),
        ("multipart/form-data; boundary=b", b"--b\r\nnonsense\r\n\r\n--b--"),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n"),
    ],
)
def test_a_malformed_form_is_said(client: TestClient, content_type: str, body: bytes) -> None:
    require_problem(
        client.post("/segment", content=body, headers={"Content-Type": content_type}), problems.BODY_MALFORMED
    )


@pytest.mark.parametrize("charset", ["undefined", "punycode", "utf-16", "unheard-of"])
def test_no_charset_of_a_form_is_looked_up(client: TestClient, cat: bytes, charset: str) -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="image"; filename="x-"\r\n\r\n'
    media_type = f'multipart/form-data; charset={charset}; boundary="b"'
    known = set(encodings._cache)
    response = client.post("/segment", content=head + cat + b"\r\n--b--\r\n", headers={"Content-Type": media_type})
    assert response.status_code == 200
    assert set(encodings._cache) - known <= {"latin_1", "utf_8"}


def test_of_many_wrong_parameters_some_are_told(client: TestClient, cat: bytes) -> None:
    query = "&".join(f"{'x' * 200}{number}" for number in range(200))
    response = client.post(f"/segment?{query}", content=cat)
    document = require_problem(response, problems.INVALID_REQUEST)
    assert document["detail"].endswith("and 184 more")
    assert len(response.content) < 10_000


def test_the_lines_of_accept_are_one_list(client: TestClient, cat: bytes) -> None:
    accepted = [("Accept", "text/html"), ("Accept", "application/json")]
    assert client.post("/segment", content=cat, headers=accepted).headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("format=gif", "format"),
        ("mask=x", "mask"),
        ("tiling=x", "tiling"),
        ("alpha=2", "alpha"),
        ("colour=x", "colour"),
    ],
)
def test_a_wrong_parameter_is_named(client: TestClient, cat: bytes, query: str, parameter: str) -> None:
    response = client.post(f"/segment?{query}", content=cat, headers=JPEG)
    document = require_problem(response, problems.INVALID_REQUEST)
    assert [fault["parameter"] for fault in document["errors"]] == [parameter]


def test_nothing_acceptable_is_said(client: TestClient, cat: bytes) -> None:
    response = client.post("/segment", content=cat, headers={**JPEG, "Accept": "text/html"})
    require_problem(response, problems.NOT_ACCEPTABLE)


def test_unknown_paths_and_methods_are_problems(client: TestClient) -> None:
    require_problem(client.get("/nowhere"), problems.NOT_FOUND)
    response = client.get("/segment")
    require_problem(response, problems.METHOD_NOT_ALLOWED)
    assert response.headers["allow"] == "POST"


def test_limits_are_kept_and_named(cat: bytes, small_weights: Path) -> None:
    limits = Settings(threads=1, weights=small_weights, max_upload_bytes=10_000, max_pixels=5000, max_whole_pixels=2048)
    with TestClient(create_app(limits)) as client:
        announced = client.post("/segment", content=cat, headers=JPEG)
        assert "10000 bytes" in require_problem(announced, problems.BODY_TOO_LARGE)["detail"]
        chunked = client.post("/segment", content=(cat[at : at + 500] for at in range(0, len(cat), 500)), headers=JPEG)
        assert "content-length" not in chunked.request.headers
        require_problem(chunked, problems.BODY_TOO_LARGE)
        require_problem(client.post("/segment", files={"image": cat}), problems.BODY_TOO_LARGE)
        large = client.post("/segment", content=png_of(Image.new("L", (80, 70))))
        assert "80 x 70 = 5600 pixels; 5000" in require_problem(large, problems.TOO_MANY_PIXELS)["detail"]
        whole = client.post("/segment?tiling=whole", content=png_of(Image.new("L", (64, 64))))
        assert "2048" in require_problem(whole, problems.TILING_IMPOSSIBLE)["detail"]


def test_a_missed_deadline_is_said(cat: bytes, small_weights: Path) -> None:
    with TestClient(create_app(Settings(threads=1, weights=small_weights, deadline_s=0.001))) as client:
        require_problem(client.post("/segment", content=cat, headers=JPEG), problems.DEADLINE)


@pytest.fixture(scope="module")
def streaming_client() -> Iterator[TestClient]:
    """A service that treats a photograph as a large image, computed 32 rows at a time."""
    settings = Settings(threads=1, small_image_pixels=1, band_pixels=1024)
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


@pytest.mark.parametrize("query", ["", "format=confidence", "format=overlay", "format=json", "tiling=overlap"])
def test_a_large_image_gets_the_same_answer_in_parts(
    client: TestClient, streaming_client: TestClient, cat: bytes, query: str
) -> None:
    at_once = client.post(f"/segment?{query}", content=cat, headers=JPEG)
    in_parts = streaming_client.post(f"/segment?{query}", content=cat, headers=JPEG)
    is_streamed = "png" in in_parts.headers["content-type"] and "overlay" not in query
    assert ("content-length" in in_parts.headers) is not is_streamed
    assert ("server-timing" in in_parts.headers) is not is_streamed
    assert in_parts.headers["x-checkpoint-sha256"] == at_once.headers["x-checkpoint-sha256"]
    if "json" in query:
        answers = [np.asarray(response.json()["mask"]) for response in (at_once, in_parts)]
    else:
        answers = [pixels(response) for response in (at_once, in_parts)]
    # float32 sums in a different order.
    assert (answers[0] != answers[1]).mean() < 1e-3
    assert "fcn_unfinished_requests 0.0" in streaming_client.get("/metrics").text


def test_what_is_wrong_with_a_large_image_is_a_problem_all_the_same(streaming_client: TestClient, cat: bytes) -> None:
    require_problem(streaming_client.post("/segment", content=cat[:9000], headers=JPEG), problems.IMAGE_DAMAGED)


def test_before_the_start_nothing_is_ready(cat: bytes) -> None:
    client = TestClient(create_app(Settings()))
    require_problem(client.get("/readyz"), problems.NOT_READY)
    require_problem(client.post("/segment", content=cat, headers=JPEG), problems.NOT_READY)
    assert client.get("/livez").json() == {"status": "live"}


def test_a_fault_of_the_service_is_a_problem_with_the_requests_id(
    client: TestClient, cat: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr("app.pipeline.request.SegmentRequest.decode", fail)
    response = client.post("/segment", content=cat, headers=JPEG)
    document = require_problem(response, problems.INTERNAL)
    assert response.headers["x-request-id"] in document["detail"]
    assert "broken on purpose" not in response.text


@settings(max_examples=60)
@given(
    body=st.binary(max_size=200),
    content_type=st.sampled_from(["image/png", "multipart/form-data; boundary=b", "", "multipart/form-data", "text/x"]),
    query=st.text(max_size=20),
    accept=st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=20),
)
def test_arbitrary_requests_never_give_500(
    client: TestClient, body: bytes, content_type: str, query: str, accept: str
) -> None:
    headers = {"Content-Type": content_type, "Accept": accept.encode("latin-1")}
    response = client.post("/segment", params={"format": query}, content=body, headers=headers)  # type: ignore[arg-type]
    assert 400 <= response.status_code < 500
    assert response.headers["content-type"] == "application/problem+json"
