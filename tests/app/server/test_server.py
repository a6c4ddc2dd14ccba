import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from app import problems
from benchmarks.waiting import wait_until
from model.capabilities import available_precisions
from model.checkpoint import Checkpoint
from model.labels import VOC
from tests.app.load import CLIENTS, Load, logged_statuses
from tests.app.problems import require_problem
from tests.app.server_process import ServerProcess, refused_start

Start = Callable[..., ServerProcess]


def test_real_photographs_become_masks_of_their_size(server: ServerProcess, shared_data: Path) -> None:
    names = (shared_data / "voc2012/ImageSets/Segmentation/val.txt").read_text().split()[:24:3]
    right = total = 0
    with server.client() as client:
        for name in names:
            photograph = shared_data / "voc2012/JPEGImages" / f"{name}.jpg"
            with photograph.open("rb") as file:
                response = client.post("/segment", files={"image": file})
            mask = Image.open(BytesIO(response.content))
            assert mask.mode == "P"
            with Image.open(photograph) as original:
                assert mask.size == original.size
            truth = np.asarray(Image.open(shared_data / "voc2012/SegmentationClassAug" / f"{name}.png"))
            known = truth != 255
            right += int((np.asarray(mask)[known] == truth[known]).sum())
            total += int(known.sum())
    assert right / total > 0.75


def test_livez_answers_at_once_while_a_big_image_is_in_work(server: ServerProcess) -> None:
    big = server.upload(_big_jpeg())
    waits = []
    with server.client() as client:
        _wait_for_unfinished(server, 1)
        for _ in range(60):
            started = time.perf_counter()
            assert client.get("/livez").status_code == 200
            waits.append(time.perf_counter() - started)
            time.sleep(0.05)
        assert "fcn_unfinished_requests 1.0" in client.get("/metrics").text
    assert sorted(waits)[len(waits) // 2] < 0.1
    big.close()
    _wait_for_unfinished(server, 0)


def test_a_small_image_does_not_wait_for_a_big_one(start_server: Start, cat: bytes) -> None:
    server = start_server()
    big = server.upload(_big_jpeg())
    used_s = _cpu_seconds(server)
    with server.client() as client:
        wait_until(lambda: _cpu_seconds(server) > used_s + 2, timeout_s=120)
        assert client.post("/segment", content=cat).status_code == 200
        assert "fcn_unfinished_requests 1.0" in client.get("/metrics").text
    big.close()


def test_the_first_rows_of_a_large_image_are_sent_before_the_last_are_known(start_server: Start, cat: bytes) -> None:
    server = start_server()
    with server.client() as client, client.stream("POST", "/segment", content=_big_jpeg()) as response:
        assert response.status_code == 200
        parts = response.iter_bytes()  # unreferenced, it would be closed, and with it the connection
        assert next(parts).startswith(b"\x89PNG")
        assert "fcn_unfinished_requests 1.0" in _metrics(server)
    _wait_for_unfinished(server, 0)  # the client has disconnected
    assert "fcn_client_disconnects_total 1.0" in _metrics(server)


def test_a_full_queue_refuses_with_an_honest_wait(start_server: Start, cat: bytes) -> None:
    server = start_server(concurrency=1, queue_length=1)
    with server.client() as client, ThreadPoolExecutor(8) as threads:
        responses = list(threads.map(lambda _: client.post("/segment", content=cat), range(24)))
        refused = [response for response in responses if response.status_code != 200]
        assert 0 < len(refused) < len(responses)
        for response in refused:
            require_problem(response, problems.QUEUE_FULL)
            assert int(response.headers["retry-after"]) >= 1
        assert client.post("/segment", content=cat).status_code == 200


def test_large_images_have_places_of_their_own(start_server: Start, cat: bytes) -> None:
    server = start_server(concurrency=1, queue_length=0)
    big = _big_jpeg()
    first = server.upload(big)
    with server.client() as client:
        wait_until(lambda: client.post("/segment", content=big).status_code == 429)
        assert client.post("/segment", content=cat).status_code == 200
    first.close()


def test_uploads_that_are_under_way_keep_nobody_out(start_server: Start, cat: bytes) -> None:
    server = start_server(concurrency=1, queue_length=0)
    uploads = [server.unfinished_upload(cat, sent=1000) for _ in range(20)]
    with server.client() as client:
        _wait_for_unfinished(server, 20)
        assert client.post("/segment", content=cat).status_code == 200
    assert uploads[0].finish().startswith(b"HTTP/1.1 200")
    for upload in uploads[1:]:
        upload.close()


@pytest.mark.parametrize("setting", ["upload_timeout_s", "upload_idle_timeout_s"])
def test_a_slow_upload_is_ended(start_server: Start, small_weights: Path, cat: bytes, setting: str) -> None:
    server = start_server(weights=small_weights, **{setting: 0.3})
    response = server.unfinished_upload(cat, sent=1000).response()
    assert response.startswith(b"HTTP/1.1 408")
    assert problems.UPLOAD_TIMEOUT.type.encode() in response


def test_a_client_that_goes_is_counted_and_gives_its_place_back(
    start_server: Start, small_weights: Path, cat: bytes
) -> None:
    server = start_server(weights=small_weights, concurrency=1, queue_length=0)
    server.unfinished_upload(cat, sent=1000).close()
    _wait_for_unfinished(server, 0)
    with server.client() as client:
        assert client.post("/segment", content=cat).status_code == 200
        assert "fcn_client_disconnects_total 1.0" in client.get("/metrics").text


def test_sigterm_finishes_what_was_accepted_and_exits_with_0(start_server: Start, cat: bytes) -> None:
    server = start_server()
    upload = server.unfinished_upload(cat, sent=1000)
    _wait_for_unfinished(server, 1)
    server.process.send_signal(signal.SIGTERM)
    with server.client() as client:
        wait_until(lambda: client.get("/readyz").status_code == 503)
        require_problem(client.get("/readyz"), problems.DRAINING)
        require_problem(client.post("/segment", content=cat), problems.DRAINING)
        assert client.get("/livez").status_code == 200
    server.process.send_signal(signal.SIGTERM)  # some supervisors send it to the process and to its group
    head, _, body = upload.finish().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert (np.asarray(Image.open(BytesIO(body))) == VOC.names.index("cat")).any()
    assert server.process.wait(timeout=30) == 0


def test_sigterm_under_load_loses_nothing_that_was_accepted(start_server: Start, cat: bytes) -> None:
    server = start_server(concurrency=CLIENTS)
    with Load(server, cat) as load:
        load.wait_for_answers(CLIENTS)
        log = server.end()
    assert server.process.returncode == 0
    statuses = logged_statuses(log)
    assert set(statuses) <= {200, 503}
    assert statuses[200] == load.outcomes[200]


def test_sigint_twice_ends_the_service_whatever_it_does(start_server: Start, cat: bytes) -> None:
    server = start_server()
    upload = server.unfinished_upload(cat, sent=1000)
    _wait_for_unfinished(server, 1)
    server.process.send_signal(signal.SIGINT)
    with server.client() as client:
        wait_until(lambda: client.get("/readyz").status_code == 503)
    server.process.send_signal(signal.SIGINT)
    server.process.wait(timeout=10)
    upload.close()


def test_sighup_serves_the_weights_file_as_it_is_now(
    start_server: Start, small_weights: Path, tmp_path: Path, cat: bytes
) -> None:
    file = tmp_path / "weights.safetensors"
    shutil.copy(small_weights, file)
    server = start_server(weights=file)
    checkpoint = Checkpoint.load(file)
    with server.client() as client:
        file.write_bytes(b"garbage")
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "reload failed" in "".join(server.log))
        assert client.get("/model").json()["sha256"] == checkpoint.digest
        replace(checkpoint, summary=replace(checkpoint.summary, name="other")).save(file)
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "reloaded" in "".join(server.log))
        assert client.get("/model").json()["sha256"] != checkpoint.digest
        assert client.post("/segment", content=cat).status_code == 200


def test_an_idle_service_ends_at_once(start_server: Start, small_weights: Path) -> None:
    server = start_server(weights=small_weights)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(timeout=10) == 0


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "there is no weights file"),
        (b"garbage", "is damaged or is not a safetensors file"),
    ],
)
def test_unusable_weights_end_the_start_with_a_sentence(tmp_path: Path, content: bytes | None, sentence: str) -> None:
    file = tmp_path / "weights.safetensors"
    if content is not None:
        file.write_bytes(content)
    code, said = refused_start(weights=file)
    assert code == 3
    assert sentence in said
    assert str(file) in said
    assert "Traceback" not in said


def test_foreign_weights_end_the_start_with_a_sentence(shared_data: Path) -> None:
    code, said = refused_start(weights=shared_data / "weights/resnet18_imagenet.safetensors")
    assert code == 3
    assert "was not written by this project" in said
    assert "Traceback" not in said


def test_a_precision_that_the_cpu_does_not_have_ends_the_start_with_a_sentence() -> None:
    # A new process: in a forked one, oneDNN may have been initialised already.
    variables = {"ONEDNN_MAX_CPU_ISA": "AVX2", "FCN_PRECISION": "bfloat16", "FCN_DEVICE": "cpu", "FCN_PORT": "0"}
    command, surroundings = [sys.executable, "-m", "app"], {**os.environ, **variables}
    result = subprocess.run(command, env=surroundings, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 3
    assert "device 'cpu' does not support bfloat16: it needs a CPU with avx512_bf16" in result.stderr
    assert "supported: float32 and float64" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_unusable_setting_is_named() -> None:
    code, said = refused_start(port="many")
    assert code == 2
    assert "FCN_PORT" in said
    assert "Traceback" not in said


@pytest.mark.every_cpu
def test_by_default_the_service_takes_a_precision_and_says_which_and_why(start_server: Start, cat: bytes) -> None:
    server = start_server(precision="auto")
    with server.client() as client:
        answer = client.post("/segment", files={"image": cat})
        model = client.get("/model").json()
        metrics = client.get("/metrics").text
    assert answer.status_code == 200
    taken = answer.headers["X-Segmentation-Precision"]
    assert model["precision"] == taken
    assert taken in {precision.value for precision in available_precisions(torch.device("cpu"))}
    assert f'precision="{taken}"' in metrics
    assert "int8" in model["precision_reason"]
    assert any(f"precision: {taken} (" in line for line in server.end())


@pytest.mark.every_cpu
def test_an_absent_device_ends_the_start_with_a_sentence() -> None:
    code, said = refused_start(device="quantum")
    assert code == 3
    assert "device 'quantum' cannot be used" in said
    assert "Traceback" not in said


def test_a_client_that_sends_far_too_much_reads_the_refusal(start_server: Start, small_weights: Path) -> None:
    server = start_server(weights=small_weights, max_upload_bytes=1000)
    with server.client() as client:
        require_problem(client.post("/segment", content=bytes(30_000_000)), problems.BODY_TOO_LARGE)


def test_a_request_that_outlasts_the_shutdown_is_told_so(start_server: Start) -> None:
    server = start_server(drain_timeout_s=1, threads=1)
    big = server.upload(_big_jpeg(), query="format=json&mask=none")
    _wait_for_unfinished(server, 1)
    server.process.send_signal(signal.SIGTERM)
    head, _, body = big.finish().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503")
    assert json.loads(body)["type"] == problems.DRAINING.type
    assert server.process.wait(timeout=60) == 0


def test_a_thread_that_does_not_end_does_not_keep_the_process() -> None:
    lines = (
        "import concurrent.futures, time",
        "from app.server.server import end_within",
        "concurrent.futures.ThreadPoolExecutor(1).submit(time.sleep, 300)",
        "end_within(0.5, 7)",
    )
    assert subprocess.run([sys.executable, "-c", "\n".join(lines)], timeout=60, check=False).returncode == 7


@pytest.mark.every_cpu
@pytest.mark.slow
def test_no_home_and_no_writable_disk_are_needed(cat: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME"):
        monkeypatch.setitem(os.environ, name, "/nonexistent")
    with ServerProcess() as server, server.client() as client:
        assert client.post("/segment", files={"image": cat}).status_code == 200


def _cpu_seconds(server: ServerProcess) -> float:
    """CPU seconds of the service so far; far more than decoding takes means that it predicts."""
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@cache
def _big_jpeg() -> bytes:
    """A JPEG of 50 megapixels."""
    buffer = BytesIO()
    Image.linear_gradient("L").resize((8000, 6250)).save(buffer, "JPEG")
    return buffer.getvalue()


def _metrics(server: ServerProcess) -> str:
    with server.client() as client:
        return client.get("/metrics").text


def _wait_for_unfinished(server: ServerProcess, count: int) -> None:
    wait_until(lambda: f"fcn_unfinished_requests {count}.0" in _metrics(server))
