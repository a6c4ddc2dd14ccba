"""Each profile of docker-compose.yml, unchanged, on a real engine."""

import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from PIL import Image

from benchmarks.docker import START_S, docker
from benchmarks.waiting import wait_until
from model.checkpoint import Checkpoint
from model.segmenter import DEFAULT_WEIGHTS
from tests.app.load import Clients
from tests.containers.compose import Compose
from tests.deploy.pets import write_pets

KEY = "key-of-the-trainer"

ONE_CORE_EACH = {"SEGMENTATION_CPUS": "1"}
"""Variables for several replicas on two cores: with more threads, those of a replica would busy-wait for each other."""


@pytest.fixture
def compose(tmp_path: Path) -> Iterator[Callable[..., Compose]]:
    with ExitStack() as projects:
        yield lambda **variables: projects.enter_context(Compose(tmp_path, **variables))


class ComposeLoad(Clients):
    """Clients of a project's published port.

    Attributes:
        last_digests: digests of the weights behind the last twelve responses.
    """

    def __init__(self, project: Compose, photograph: bytes) -> None:
        super().__init__(3)
        self._project = project
        self._photograph = photograph
        self.last_digests: deque[str] = deque(maxlen=12)

    def _connect(self) -> httpx2.Client:
        return self._project.client()

    def _ask(self, client: httpx2.Client) -> int:
        response = post(client, self._photograph)
        self.last_digests.append(response.headers.get("x-checkpoint-sha256", ""))
        return response.status_code


def post(client: httpx2.Client, image: bytes) -> httpx2.Response:
    return client.post("/segment", content=image, headers={"Content-Type": "image/jpeg"})


def test_cpu(compose: Callable[..., Compose], cpu_image: str, photograph: bytes) -> None:
    project = compose()
    project.up("cpu")
    with project.client() as client:
        assert post(client, photograph).status_code == 200
    (container,) = project.containers()
    assert {publisher["URL"] for publisher in container["Publishers"]} == {"127.0.0.1"}
    assert container["Health"] == "healthy"


def test_scale(compose: Callable[..., Compose], cpu_image: str, photograph: bytes, tmp_path: Path) -> None:
    """No small request is lost while replicas start, stop, are killed and reload; large ones only on the killed one."""
    project = compose(SEGMENTATION_REPLICAS="3", **ONE_CORE_EACH)
    (project.folder / "settings.env").write_text("FCN_WEIGHTS=/weights/model.safetensors\n")
    put_weights(project, cpu_image, DEFAULT_WEIGHTS.read_bytes())
    project.up("scale")
    large = large_photograph()

    def send_large(name: str) -> int:
        with project.client(**{"X-Request-ID": name}) as client:
            try:
                return post(client, large).status_code
            except httpx2.TransportError:
                return 0

    killed, *others = [each["ID"] for each in project.containers() if each["Service"] == "replica"]
    killed_address = address(killed)
    with ComposeLoad(project, photograph) as load, ThreadPoolExecutor(4) as threads:
        load.wait_for_answers(6)
        names = [f"large-{index}" for index in range(4)]
        giants = [threads.submit(send_large, name) for name in names]
        load.wait_for_answers(3)
        docker("kill", killed)
        load.wait_for_answers(6)
        statuses = dict(zip(names, [giant.result() for giant in giants], strict=True))

        new = tmp_path / "new.safetensors"
        checkpoint = Checkpoint.load(DEFAULT_WEIGHTS)
        replace(checkpoint, summary=replace(checkpoint.summary, name="new")).save(new)
        put_weights(project, cpu_image, new.read_bytes())
        for replica in others:
            docker("exec", replica, "sh", "-c", "kill -HUP 1")
        digest = Checkpoint.load(new).digest
        wait_until(lambda: set(load.last_digests) == {digest}, START_S)

        project.up("scale", options=("--no-recreate", "--scale", "replica=2"))
        load.wait_for_answers(6)
        project.up("scale", options=("--no-recreate", "--scale", "replica=3"))
        load.wait_for_answers(6)
    log = project("--profile", "scale", "logs", "--no-log-prefix", "nginx").splitlines()
    requests = [json.loads(line) for line in log if line.startswith("{")]
    assert not [request for request in requests if request["id"] not in statuses and request["status"] != 200]
    assert set(load.outcomes) == {200}
    assert set(statuses.values()) <= {200, 502, 0}
    chosen = {request["id"]: request["replicas"] for request in requests}
    for name, status in statuses.items():
        assert (status == 200) or chosen[name].endswith(f"{killed_address}:8000"), (name, status, chosen)
    assert sum(each["Service"] == "replica" and each["State"] == "running" for each in project.containers()) == 3


def test_observability(compose: Callable[..., Compose], cpu_image: str) -> None:
    """All replicas are scraped; an alert fires while one is stopped, and ends when it is back."""
    project = compose(**ONE_CORE_EACH)
    project.up("scale", "observability")
    with httpx2.Client(base_url=f"http://127.0.0.1:{project.prometheus_port}/api/v1/", trust_env=False) as prometheus:

        def ask(path: str) -> dict[str, Any]:
            data: dict[str, Any] = prometheus.get(path).raise_for_status().json()["data"]
            return data

        def firing() -> set[str]:
            return {alert["labels"]["alertname"] for alert in ask("alerts")["alerts"] if alert["state"] == "firing"}

        def targets() -> list[str]:
            return [target["health"] for target in ask("targets")["activeTargets"]]

        wait_until(lambda: targets() == ["up", "up"], START_S)
        wait_until(lambda: all(rule["health"] == "ok" for rule in ask("rules")["groups"][0]["rules"]), START_S)
        assert firing() == set()
        replica = next(each["ID"] for each in project.containers() if each["Service"] == "replica")
        docker("stop", replica)
        wait_until(lambda: firing() == {"SegmentationReplicaGone"}, START_S)
        docker("start", replica)
        wait_until(lambda: targets() == ["up", "up"] and firing() == set(), START_S)


def test_training(
    compose: Callable[..., Compose],
    cpu_image: str,
    training_image: str,
    photograph: bytes,
    examples: Path,
) -> None:
    """At the end of a run, the running service serves the trained weights without a restart."""
    project = compose()
    write_pets(project.folder / "data", examples / "cat.jpg")
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    (project.folder / "keys.txt").write_text(f"trainer {digest} admin,segment\n")
    (project.folder / "settings.env").write_text(
        "FCN_API_KEYS_FILE=/run/keys.txt\nFCN_WEIGHTS=/weights/model.safetensors\n"
    )
    (project.folder / "train.env").write_text(f"RELOAD_KEY={KEY}\n")
    (project.folder / "docker-compose.override.yml").write_text(
        "services:\n  segmentation-cpu:\n    volumes: ['./keys.txt:/run/keys.txt:ro']\n"
    )

    def train(name: str, steps: int) -> str:
        data = ("finetune", "--data", "/data", "--source", "pets:train:1", "--labels", "/data/labels.toml")
        values = ("data.workers=0", "data.crop_size=64", "run.tensorboard=false")
        settings = [word for value in values for word in ("--set", value)]
        run = ("run", "--rm", "--no-TTY", "train-cpu", name)
        return project("--profile", "train", *run, *data, "--steps", str(steps), *settings)

    train("first", 1)
    project.up("cpu")
    with project.client(**{"X-API-Key": KEY}) as client:
        assert [each["name"] for each in client.get("/classes").raise_for_status().json()["classes"]] == [
            "wall",
            "cat",
            "void",
        ]
        before = post(client, photograph)
        (container,) = (each["ID"] for each in project.containers() if each["Service"] == "segmentation-cpu")
        assert "segmentation-cpu:8000 at " in train("second", 2)
        after = post(client, photograph)
    assert before.status_code == after.status_code == 200
    assert before.headers["x-checkpoint-sha256"] != after.headers["x-checkpoint-sha256"]
    assert container in {each["ID"] for each in project.containers()}


def address(container: str) -> str:
    return docker("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", container)


def large_photograph() -> bytes:
    """A photograph larger than nginx buffers, so that nginx passes it on as it arrives."""
    noise = np.random.default_rng(0).integers(0, 256, (750, 1000, 3), dtype=np.uint8)
    file = BytesIO()
    Image.fromarray(noise).resize((4000, 3000), Image.Resampling.NEAREST).save(file, "JPEG", quality=95)
    assert file.tell() > 1 << 20
    return file.getvalue()


def put_weights(project: Compose, image: str, weights: bytes) -> None:
    """Put a file into the volume of weights atomically."""
    mount = ("--volume", f"{project.name}_weights:/weights")
    script = "cat > /weights/new && chmod 644 /weights/new && mv /weights/new /weights/model.safetensors"
    docker("run", "--rm", "--interactive", "--user", "0", *mount, image, "sh", "-c", script, input=weights)
