"""Both clients against the real service, and against failures on the way to it."""

import asyncio
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.client import (
    AsyncClient,
    Client,
    ClientError,
    ImageInput,
    ServiceConnectionError,
    ServiceError,
    ServiceTimeoutError,
    ServiceUnavailableError,
    Timeouts,
    UnexpectedResponseError,
)
from benchmarks.waiting import wait_until
from model.labels import VOC
from tests.app.api.api_keys import KEYS, keys_file
from tests.app.client.conftest import Connect
from tests.app.client.scripted_server import ScriptedServer, response
from tests.app.conftest import EXAMPLES
from tests.app.server_process import ServerProcess

Start = Callable[..., ServerProcess]

CAT = EXAMPLES / "cat.jpg"


def test_a_photograph_becomes_a_mask_with_its_classes(connect: Connect, server: ServerProcess) -> None:
    client = connect(server.url)
    found = client.segment(CAT)
    assert found.mask.shape == (300, 451)
    assert found.mask.dtype == np.uint8
    assert found.mask.flags.writeable
    shares = {share.name: share for share in found.classes}
    assert shares["cat"].index == 8
    assert shares["cat"].color == (64, 0, 0)
    assert shares["cat"].pixels == int((found.mask == 8).sum()) > 30_000
    assert sum(share.pixels for share in found.classes) == found.mask.size
    assert sum(share.fraction for share in found.classes) == pytest.approx(1)
    assert [share.index for share in found.classes] == np.unique(found.mask).tolist()
    assert found.checkpoint == client.model()["sha256"]
    assert found.request_id
    assert found.stages["forward"] > 0


def test_paths_bytes_pictures_and_arrays_are_the_same_image(
    connect: Connect, server: ServerProcess, cat: bytes
) -> None:
    client = connect(server.url)
    with Image.open(CAT) as picture:
        array = np.array(picture)
        inputs: list[ImageInput] = [str(CAT), CAT, cat, picture, array]
        masks = [client.segment(image).mask for image in inputs]
    assert all(np.array_equal(mask, masks[0]) for mask in masks)
    assert client.segment(array[..., 1]).mask.shape == array.shape[:2]


def test_the_overlay_is_the_one_that_the_service_paints(connect: Connect, server: ServerProcess, cat: bytes) -> None:
    client = connect(server.url)
    ours = np.asarray(client.segment(cat).overlay(alpha=0.7)).astype(int)
    theirs = np.asarray(Image.open(BytesIO(client.segment_bytes(cat, "overlay", alpha=0.7)))).astype(int)
    assert ours.shape == theirs.shape == (300, 451, 3)
    assert np.abs(ours - theirs).max() <= 1  # Pillow truncates where the service rounds
    assert not np.array_equal(ours, np.asarray(Image.open(CAT)))


def test_mask_and_overlay_are_of_the_upright_image(connect: Connect, server: ServerProcess) -> None:
    client = connect(server.url)
    exif = Image.Exif()
    exif[0x0112] = 6  # its rows are the scene's columns
    buffer = BytesIO()
    with Image.open(CAT) as picture:
        picture.save(buffer, "JPEG", exif=exif)
    found = client.segment(buffer.getvalue())
    assert found.mask.shape == (451, 300)
    assert found.overlay().size == (300, 451)
    assert np.array_equal(client.segment(Image.open(buffer)).mask, found.mask)


def test_bytes_are_the_service_s_answer_in_each_format(connect: Connect, server: ServerProcess, cat: bytes) -> None:
    client = connect(server.url)
    mask = client.segment(cat).mask
    with Image.open(BytesIO(client.segment_bytes(cat))) as png:
        assert png.mode == "P"
        assert np.array_equal(np.asarray(png), mask)
    assert client.segment_bytes(cat, "json", mask="none").endswith(b'"mask":null}')
    with Image.open(BytesIO(client.segment_bytes(cat, "confidence", tiling="exact"))) as confidence:
        assert confidence.mode == "L"
        assert confidence.size == (451, 300)


def test_large_images_come_without_stages(connect: Connect, server: ServerProcess, cat: bytes) -> None:
    with Image.open(BytesIO(cat)) as picture:
        found = connect(server.url).segment(picture.resize((1503, 1000)))
    assert found.mask.shape == (1000, 1503)
    assert found.stages == {}
    assert "cat" in [share.name for share in found.classes]


def test_classes_model_and_readiness_are_told(connect: Connect, server: ServerProcess) -> None:
    client = connect(server.url + "/")
    assert [told.name for told in client.classes()] == [*VOC.names, "void"]
    assert [told.color for told in client.classes()][: len(VOC)] == list(VOC.colors)
    assert client.model()["num_classes"] == len(VOC)
    assert client.is_ready()


def test_what_is_no_image_is_a_problem(connect: Connect, server: ServerProcess) -> None:
    with pytest.raises(ServiceError, match="400 not-an-image: the file's 5 bytes are not an image") as caught:
        connect(server.url).segment(b"hello")
    assert caught.value.status == 400
    assert caught.value.slug == "not-an-image"
    assert caught.value.title == "Not an image"
    assert caught.value.retry_after_s is None
    assert f"(request {caught.value.request_id})" in str(caught.value)
    assert not isinstance(caught.value, ServiceUnavailableError)


def test_a_parameter_that_is_wrong_is_a_problem(connect: Connect, server: ServerProcess, cat: bytes) -> None:
    with pytest.raises(ServiceError, match=r"422 invalid-request: alpha"):
        connect(server.url).segment_bytes(cat, "overlay", alpha=2)


def test_a_key_opens_and_its_lack_is_told_once(connect: Connect, start_server: Start, tmp_path: Path) -> None:
    server = start_server(api_keys_file=keys_file(tmp_path))
    assert "cat" in [share.name for share in connect(server.url, key=KEYS["segment"]).segment(CAT).classes]
    with pytest.raises(ServiceError, match="401 unauthorized"):
        connect(server.url).segment(CAT)
    with pytest.raises(ServiceError, match="403 forbidden"):
        connect(server.url, key=KEYS["metrics"]).segment(CAT)
    metrics = _metrics(server)
    assert 'fcn_refusals_total{reason="unauthorized"} 1.0' in metrics
    assert 'fcn_refusals_total{reason="forbidden"} 1.0' in metrics


def test_threads_wait_for_a_full_queue(start_server: Start) -> None:
    server = start_server(concurrency=1, queue_length=0)
    with Client(server.url, retries=100) as client, ThreadPoolExecutor(6) as threads:
        client.segment(CAT)
        started = time.monotonic()
        found = list(threads.map(client.segment, [CAT] * 6))
    _require_waited(server, started)
    assert all(np.array_equal(one.mask, found[0].mask) for one in found)


def test_a_full_queue_that_stays_full_is_told(connect: Connect) -> None:
    body = b'{"type":"/problems/queue-full","title":"Queue full","status":429,"detail":"try again in 60 s"}'
    with ScriptedServer(response("429 Too Many Requests", body, "Retry-After: 60")) as scripted:
        client = connect(scripted.url, timeouts=Timeouts(total_s=30))
        with pytest.raises(ServiceUnavailableError, match="429 queue-full: try again in 60 s") as caught:
            client.segment(CAT)
    assert caught.value.retry_after_s == 60
    assert len(scripted.requests) == 1  # waiting as told would exceed the total timeout


def test_a_service_that_shuts_down_and_then_is_gone_is_told(
    connect: Connect, start_server: Start, small_weights: Path, cat: bytes
) -> None:
    server = start_server(weights=small_weights)
    client = connect(server.url, retries=0)
    upload = server.unfinished_upload(cat, sent=1000)
    wait_until(lambda: "fcn_unfinished_requests 1.0" in _metrics(server))
    server.process.send_signal(signal.SIGTERM)
    wait_until(lambda: not client.is_ready())
    with pytest.raises(ServiceUnavailableError, match="503 draining") as caught:
        client.segment(cat)
    assert caught.value.retry_after_s == 1
    assert upload.finish().startswith(b"HTTP/1.1 200")
    server.process.wait(timeout=60)
    assert not client.is_ready()
    with pytest.raises(ServiceConnectionError, match="POST /segment"):
        client.segment(cat)


def test_a_service_that_is_started_again_is_waited_for(
    connect: Connect, start_server: Start, small_weights: Path, cat: bytes
) -> None:
    server = start_server(weights=small_weights)
    client = connect(server.url, retries=100)
    before = client.segment(cat)
    server.end()
    with ThreadPoolExecutor(1) as threads:
        starting = threads.submit(start_server, port=server.port, weights=small_weights)
        assert np.array_equal(client.segment(cat).mask, before.mask)
        assert starting.result().port == server.port


@pytest.mark.parametrize("framing", ["whole", "shorter than its length", "in chunks"])
def test_an_answer_that_breaks_off_is_no_mask(
    connect: Connect, server: ServerProcess, cat: bytes, framing: str
) -> None:
    with Client(server.url) as real:
        png = real.segment_bytes(cat)
    part = png[: len(png) // 2]
    head = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nConnection: close\r\n"
    broken = {
        "whole": response("200 OK", part, content_type="image/png"),  # as a proxy may send it
        "shorter than its length": head + b"Content-Length: %d\r\n\r\n" % len(png) + part,
        "in chunks": head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(part) + part + b"\r\n",
    }[framing]
    with ScriptedServer(broken, broken) as scripted:
        for method in ("segment", "segment_bytes"):
            with pytest.raises(ServiceConnectionError):
                getattr(connect(scripted.url, retries=0), method)(cat)


def test_an_image_is_sent_again_whole_after_a_connection_that_broke(
    connect: Connect, server: ServerProcess, cat: bytes
) -> None:
    with Client(server.url) as real:
        png = real.segment_bytes(cat)
    with ScriptedServer(
        b"", b"HTTP/1.1 200 OK\r\nConte", response("200 OK", png, content_type="image/png")
    ) as scripted:
        assert connect(scripted.url).segment_bytes(cat) == png
    assert len(scripted.requests) == 3
    assert all(request.endswith(b"\r\n\r\n" + cat) for request in scripted.requests)


@pytest.mark.parametrize(
    ("timeouts", "told"),
    [
        (Timeouts(read_s=0.2), "read_s = 0.2 s"),
        (Timeouts(total_s=0.2), "total_s = 0.2 s"),
    ],
)
def test_a_service_that_does_not_answer_is_given_up_and_not_asked_again(
    connect: Connect, timeouts: Timeouts, told: str
) -> None:
    with ScriptedServer(None, None) as scripted, pytest.raises(ServiceTimeoutError, match=told):
        connect(scripted.url, timeouts=timeouts).segment(CAT)
    assert len(scripted.requests) == 1


@pytest.mark.parametrize(
    "unexpected",
    [
        response("200 OK", b"<html>It works!</html>", content_type="text/html"),
        response(
            "200 OK", b"\x89PNG\r\n\x1a\nnonsense IEND\xaeB`\x82", "X-Checkpoint-SHA256: 1", content_type="image/png"
        ),
    ],
)
def test_what_answers_and_is_not_the_service_is_told(connect: Connect, unexpected: bytes) -> None:
    classes = response("200 OK", b'{"classes":[{"index":0,"name":"a","color":[0,0,0]}]}')
    with (
        ScriptedServer(unexpected, classes, response("200 OK", b'{"sha256":"1"}')) as scripted,
        pytest.raises(UnexpectedResponseError),
    ):
        connect(scripted.url).segment(CAT)


def test_a_proxy_s_page_is_a_problem_without_a_slug(connect: Connect) -> None:
    with (
        ScriptedServer(
            response("502 Bad Gateway", b"<html>nothing there</html>", content_type="text/html")
        ) as scripted,
        pytest.raises(ServiceUnavailableError, match=r"^502: <html>nothing there") as caught,
    ):
        connect(scripted.url, retries=0).model()
    assert caught.value.slug == ""
    assert caught.value.title == "Bad Gateway"
    assert caught.value.request_id is None


def test_a_task_that_is_cancelled_ends_its_request_in_the_service(start_server: Start, cat: bytes) -> None:
    server = start_server()
    with Image.open(BytesIO(cat)) as picture:
        large = picture.resize((6000, 6000))

    async def ask_and_cancel() -> None:
        async with AsyncClient(server.url) as client:
            task = asyncio.create_task(client.segment(large))
            while "fcn_unfinished_requests 1.0" not in await asyncio.to_thread(_metrics, server):
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(ask_and_cancel())
    wait_until(lambda: "fcn_client_disconnects_total 1.0" in _metrics(server), timeout_s=60)


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://127.0.0.1", "http://", "http://host:port", ""])
def test_what_is_no_address_is_refused_at_once(connect: Connect, url: str) -> None:
    with pytest.raises(ValueError, match="is not an address"):
        connect(url)


@pytest.mark.parametrize("key", ["", "abc\n", " abc"])
def test_what_is_no_key_is_refused_at_once(connect: Connect, key: str) -> None:
    with pytest.raises(ValueError, match="the key is empty, or has line breaks"):
        connect("http://127.0.0.1:8000", key=key)


def test_a_file_that_is_not_there_is_the_caller_s_error(connect: Connect, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        connect("http://127.0.0.1:1").segment(tmp_path / "none.jpg")


def test_every_error_has_one_base() -> None:
    assert all(
        issubclass(kind, ClientError)
        for kind in (
            ServiceError,
            ServiceUnavailableError,
            ServiceConnectionError,
            ServiceTimeoutError,
            UnexpectedResponseError,
        )
    )


def _metrics(server: ServerProcess) -> str:
    with server.client() as client:
        return client.get("/metrics").text


def _require_waited(server: ServerProcess, started: float) -> None:
    """Require that some requests were refused, and retried no earlier than told: after a second."""
    assert 'fcn_refusals_total{reason="queue-full"}' in _metrics(server)
    assert time.monotonic() - started >= 1
