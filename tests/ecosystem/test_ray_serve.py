"""The service as a Ray Serve application, on a real cluster: a head and two nodes, each a group of processes."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import httpx2
import pytest
from PIL import Image

from app.problems import BODY_TOO_LARGE, NOT_AN_IMAGE, NOT_READY, QUEUE_FULL
from benchmarks.process_tree import processor_seconds
from benchmarks.service import stop_session
from benchmarks.waiting import wait_until
from tests.app.problems import require_problem
from tests.app.server_process import ServerProcess
from tests.ecosystem.nginx import Proxy, needs_nginx
from tests.ecosystem.ports import free_port
from tests.ecosystem.ray_cluster import ENVIRONMENT, ROOT, RayCluster
from tests.ecosystem.ray_load import RayLoad, rate

CLIENTS = 4
PLACES = 4
"""Requests that can wait in a replica beside the two in progress."""

_HEAD, _FIRST, _SECOND = 0, 1, 2


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    """A cluster that starts with one replica. Each test of this file continues where the one before ended."""
    arguments = {"threads": "1", "queue_length": str(PLACES), "log_level": "error", "patience_s": "8"}
    with RayCluster(nodes=2, replicas=1, **arguments) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def plain_answers(cat: bytes) -> dict[str, bytes]:
    """Format -> the plain service's response."""
    with ServerProcess(threads=1) as plain, plain.client() as client:
        answers = {form: _segment(client, cat, form).content for form in ("png", "json", "overlay", "confidence")}
        return answers | {"large": _segment(client, _large(cat), "png").content}


def test_the_answers_are_the_plain_services_bytes(
    cluster: RayCluster, cat: bytes, plain_answers: dict[str, bytes]
) -> None:
    with _client(cluster.ports[_HEAD]) as client:
        for form in ("png", "json", "overlay", "confidence"):
            answer = plain_answers[form]
            response = _segment(client, cat, form)
            assert response.status_code == 200
            assert response.content == answer
            assert int(response.headers["content-length"]) == len(answer)
            assert response.headers["x-checkpoint-sha256"]
            assert "forward;dur=" in response.headers["server-timing"]


def test_forms_probes_and_ids_pass_through(cluster: RayCluster, cat: bytes, plain_answers: dict[str, bytes]) -> None:
    with _client(cluster.ports[_FIRST]) as client:
        response = client.post("/segment", files={"image": cat}, headers={"X-Request-ID": "photo-7"})
        assert response.content == plain_answers["png"]
        assert response.headers.get_list("x-request-id") == ["photo-7"]
        assert client.get("/readyz").json() == {"status": "ready"}
        assert len(client.get("/classes").json()["classes"]) == 22


def test_bodies_and_answers_may_be_large(cluster: RayCluster, cat: bytes) -> None:
    body = _long(cat)
    with _client(cluster.ports[_HEAD]) as client:
        response = _segment(client, body, "json")
    # More than gRPC allows by default.
    assert min(len(body), len(response.content)) > 4 * 2**20
    mask = response.json()["mask"]
    assert (len(mask), len(mask[0])) == (1200, 2000)


def test_problems_are_the_services(cluster: RayCluster) -> None:
    with _client(cluster.ports[_HEAD]) as client:
        require_problem(client.post("/segment", content=b"no image"), NOT_AN_IMAGE)
        require_problem(client.post("/segment", content=bytes(34 * 2**20)), BODY_TOO_LARGE)


def test_throughput_grows_with_replicas(cluster: RayCluster, cat: bytes) -> None:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("two replicas need two cores")
    one = rate(cluster.ports[_HEAD], cat, CLIENTS, seconds=8)
    cluster.scale(2)
    two = rate(cluster.ports[_HEAD], cat, CLIENTS, seconds=8)
    if two < 1.1 * one:  # perhaps other programs used the cores
        two = rate(cluster.ports[_HEAD], cat, CLIENTS, seconds=16)
    print(f"{one:.1f}/s by one replica, {two:.1f}/s by two: {two / one:.2f} times")
    assert two > 1.1 * one


def test_what_there_is_no_room_for_is_refused_as_by_the_service(cluster: RayCluster, cat: bytes) -> None:
    with ThreadPoolExecutor(24) as threads, _client(cluster.ports[_HEAD]) as client:
        responses = list(threads.map(lambda _: _segment(client, cat, "png"), range(72)))
    refused = [response for response in responses if response.status_code != 200]
    assert 0 < len(refused) < len(responses)
    for response in refused:
        require_problem(response, QUEUE_FULL)
        assert int(response.headers["retry-after"]) >= 1


def test_a_killed_replica_loses_no_request(cluster: RayCluster, cat: bytes, plain_answers: dict[str, bytes]) -> None:
    before = cluster.replicas("Segmentation")
    with RayLoad(cluster.ports[_HEAD], cat, CLIENTS, plain_answers["png"]) as load:
        wait_until(lambda: load.answered > 10)
        os.kill(before[0], signal.SIGKILL)
        answered = load.answered
        wait_until(lambda: load.answered > answered + 30)
    print(f"a replica killed: {load.answered} answered, {load.outcomes.total() - load.answered} not")
    assert load.outcomes.keys() == {200}, load.outcomes
    assert load.wrong == 0
    # Ray starts another one eventually.
    wait_until(lambda: len(set(cluster.replicas("Segmentation")) - {before[0]}) == 2, timeout_s=60)


def test_a_replica_killed_in_the_middle_of_its_answer_is_gone_on_with_by_another(
    cluster: RayCluster, cat: bytes, plain_answers: dict[str, bytes]
) -> None:
    first, rest = _interrupted(cluster, cat, lambda replica: os.kill(replica, signal.SIGKILL))
    assert len(first) < len(plain_answers["large"])
    assert first + rest == plain_answers["large"]
    wait_until(lambda: len(cluster.replicas("Segmentation")) == 2, timeout_s=60)


def test_a_replica_that_falls_silent_is_gone_on_without(
    cluster: RayCluster, cat: bytes, plain_answers: dict[str, bytes]
) -> None:
    """Its connections stay open, as when a machine loses its network."""
    stopped: list[int] = []

    def stop(replica: int) -> None:
        os.kill(replica, signal.SIGSTOP)
        stopped.append(replica)

    try:
        first, rest = _interrupted(cluster, cat, stop)
    finally:
        for replica in stopped:
            os.kill(replica, signal.SIGCONT)
    assert len(first) < len(plain_answers["large"])
    assert first + rest == plain_answers["large"]


def test_while_all_replicas_hang_the_gateway_says_when_to_come_again(cluster: RayCluster, cat: bytes) -> None:
    replicas = cluster.replicas("Segmentation")
    for replica in replicas:
        os.kill(replica, signal.SIGSTOP)
    with _client(cluster.ports[_HEAD]) as client:
        response = _segment(client, cat, "png")
        document = require_problem(response, NOT_READY)
        assert response.headers["retry-after"] == "5"
        assert document["detail"] == "no replica takes requests now; try again in 5 s"
        for replica in replicas:
            os.kill(replica, signal.SIGCONT)
        assert _segment(client, cat, "png").status_code == 200


@needs_nginx
def test_a_killed_node_loses_no_request_of_those_who_ask_another(
    cluster: RayCluster, cat: bytes, plain_answers: dict[str, bytes], tmp_path: Path
) -> None:
    png = plain_answers["png"]
    with (
        Proxy(tmp_path, cluster.ports, {}) as proxy,
        RayLoad(cluster.ports[_HEAD], cat, 2, png) as elsewhere,
        RayLoad(proxy.port, cat, 2, png) as by_proxy,
        RayLoad(cluster.ports[_SECOND], cat, 2, png) as straight,
    ):
        loads = (elsewhere, by_proxy, straight)
        wait_until(lambda: all(load.answered > 5 for load in loads), timeout_s=60)
        cluster.kill_node(_SECOND)
        answered = [load.answered for load in loads[:2]]
        wait_until(
            lambda: all(load.answered > before + 15 for load, before in zip(loads, answered, strict=False)),
            timeout_s=90,
        )
    for name, load in zip(("on a living node", "through nginx", "on the killed node"), loads, strict=True):
        print(f"a node killed: {name}: {load.outcomes}")
    assert elsewhere.outcomes.keys() == {200}, elsewhere.outcomes
    assert by_proxy.outcomes.keys() == {200}, by_proxy.outcomes
    # Clients connected to the node lost their connections and noticed it: no response was wrong.
    assert straight.outcomes.keys() == {200, 0}, straight.outcomes
    assert sum(load.wrong for load in loads) == 0


def test_serve_yaml_is_run_by_serve_run(cat: bytes, plain_answers: dict[str, bytes], tmp_path: Path) -> None:
    port = free_port()
    text = (ROOT / "deploy/ray/serve.yaml").read_text()
    assert text.count("port: 8000") == 1
    (tmp_path / "serve.yaml").write_text(text.replace("port: 8000", f"port: {port}"))
    program = Path(sys.executable).with_name("serve")
    command = [str(program), "run", "--address", "local", str(tmp_path / "serve.yaml")]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **ENVIRONMENT}, stdout=log, stderr=log, start_new_session=True
        )
    try:
        wait_until(lambda: process.poll() is not None or _is_ready(port), timeout_s=150)
        assert process.poll() is None, (tmp_path / "log").read_text()
        with _client(port) as client:
            assert _segment(client, cat, "png").content == plain_answers["png"]
            assert _segment(client, _long(cat), "png").status_code == 200
    finally:
        stop_session(process)


def _interrupted(cluster: RayCluster, photograph: bytes, interrupt: Callable[[int], None]) -> tuple[bytes, bytes]:
    """Return the first part of a large image's response and the rest; interrupt the replica in between."""
    took = {replica: processor_seconds(replica) for replica in cluster.replicas("Segmentation")}
    with (
        _client(cluster.ports[_HEAD]) as client,
        client.stream("POST", "/segment", content=_large(photograph), headers={"Content-Type": "image/png"}) as answer,
    ):
        parts = answer.iter_bytes()
        first = next(parts)
        interrupt(max(took, key=lambda replica: processor_seconds(replica) - took[replica]))
        return first, b"".join(parts)


def _is_ready(port: int) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
    except httpx2.TransportError:
        return False


def _long(photograph: bytes) -> bytes:
    """The photograph as a BMP: few pixels, but many bytes."""
    with Image.open(BytesIO(photograph)) as image:
        enlarged = image.resize((2000, 1200))
    file = BytesIO()
    enlarged.save(file, "BMP")
    return file.getvalue()


def _large(photograph: bytes) -> bytes:
    """The photograph enlarged to four megapixels, whose mask is sent while it is computed."""
    buffer = BytesIO()
    Image.open(BytesIO(photograph)).resize((2000, 2000)).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _client(port: int) -> httpx2.Client:
    return httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=120)


def _segment(client: httpx2.Client, image: bytes, form: str) -> httpx2.Response:
    return client.post("/segment", params={"format": form}, content=image, headers={"Content-Type": "image/jpeg"})
