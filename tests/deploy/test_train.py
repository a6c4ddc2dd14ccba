"""Compose's container `train`, beside a real service that runs meanwhile."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from deploy import train
from model.checkpoint import Checkpoint, Golden
from model.segmenter import DEFAULT_WEIGHTS
from tests.app.client.scripted_server import ScriptedServer, response
from tests.app.load import Load
from tests.app.server_process import ServerProcess
from tests.deploy.pets import write_pets

pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).parents[2] / "deploy/train.py"
KEY = "key-of-the-trainer"


class KeyedService(ServerProcess):
    """A service whose test clients send the API key."""

    def client(self) -> httpx2.Client:
        client = super().client()
        client.headers["X-API-Key"] = KEY
        return client


class Volumes:
    """The container's folders, with a data set of one photograph."""

    def __init__(self, folder: Path, photograph: Path) -> None:
        self.data, self.runs = folder / "data", folder / "runs"
        self.weights = folder / "weights/model.safetensors"
        self.weights.parent.mkdir()
        write_pets(self.data, photograph)

    def train(self, *words: str, steps: int = 1, **variables: str) -> subprocess.CompletedProcess[str]:
        training = ["finetune", "--data", self.data, "--source", "pets:train:1", "--labels", self.data / "labels.toml"]
        small = ["--steps", steps, "--device", "cpu"]
        settings = ["data.workers=0", "data.crop_size=64", "run.tensorboard=false", "run.threads=1"]
        small += [word for setting in settings for word in ("--set", setting)]
        folders = ["--runs", self.runs, "--weights", self.weights]
        command = [sys.executable, PROGRAM, "pets", *training, *small, *folders, *words]
        return subprocess.run(
            [str(word) for word in command],
            env={**os.environ, "PYTHONPATH": str(PROGRAM.parents[1]), **variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )


@pytest.fixture
def volumes(tmp_path: Path, examples: Path) -> Volumes:
    return Volumes(tmp_path, examples / "cat.jpg")


@pytest.fixture
def service(volumes: Volumes, tmp_path: Path) -> Iterator[ServerProcess]:
    """A service with the volume's weights that knows the trainer's key, whose scopes are ``admin`` and ``segment``."""
    volumes.weights.write_bytes(DEFAULT_WEIGHTS.read_bytes())
    keys = tmp_path / "keys.txt"
    keys.write_text(f"trainer {hashlib.sha256(KEY.encode()).hexdigest()} admin,segment\n")
    with KeyedService(weights=volumes.weights, api_keys_file=keys, threads=1) as service:
        yield service


def test_the_service_has_what_was_trained_without_a_gap(
    volumes: Volumes, service: ServerProcess, examples: Path
) -> None:
    photograph = (examples / "cat.jpg").read_bytes()
    with Load(service, photograph) as load:
        result = volumes.train("--services", f"localhost:{service.port}", "absent.invalid:1", RELOAD_KEY=KEY)
        assert result.returncode == 0, result.stdout + result.stderr
    trained = Checkpoint.load(volumes.weights)
    assert trained.labels.names == ("wall", "cat")
    assert isinstance(trained.golden, Golden)
    assert f"localhost:{service.port} at 127.0.0.1: {trained.digest}" in result.stdout
    with service.client() as client:
        answer = client.post("/segment", content=photograph)
    assert answer.headers["x-checkpoint-sha256"] == trained.digest
    assert set(load.outcomes) == {200}


def test_a_run_of_the_same_name_goes_on_and_other_settings_want_another_name(volumes: Volumes) -> None:
    assert volumes.train().returncode == 0
    digest = Checkpoint.load(volumes.weights).digest
    again = volumes.train()
    assert again.returncode == 0, again.stderr
    assert "at step 1" in again.stdout
    assert "RELOAD_KEY has no key" in again.stdout
    other = volumes.train(steps=2)
    assert other.returncode == 1
    assert "run.steps" in other.stderr
    assert Checkpoint.load(volumes.weights).digest == digest


def test_a_service_that_does_not_take_the_weights_is_a_failure_that_says_why(
    volumes: Volumes, service: ServerProcess
) -> None:
    result = volumes.train("--services", f"localhost:{service.port}", RELOAD_KEY="another")
    assert result.returncode == 1
    assert "/problems/unauthorized" in result.stderr


def test_without_a_service_the_weights_wait_for_one(volumes: Volumes) -> None:
    result = volumes.train("--services", "absent.invalid:1", RELOAD_KEY=KEY)
    assert result.returncode == 0, result.stderr
    assert "no service runs here" in result.stderr
    assert Checkpoint.load(volumes.weights).labels.names == ("wall", "cat")


@pytest.mark.parametrize(
    "answer",
    [
        b"hello\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n\xff",
    ],
)
def test_who_is_not_the_service_is_named_and_the_others_are_asked_all_the_same(
    answer: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    with ScriptedServer(answer) as other, ScriptedServer(response("200 OK", b'{"sha256": "0123"}')) as asked:
        stranger, service = (f"localhost:{urlsplit(server.url).port}" for server in (other, asked))
        assert not train.reload_all([stranger, service], KEY)
    told = capsys.readouterr()
    assert told.err.startswith(f"{stranger} at 127.0.0.1: not the service's answer: ")
    assert told.out == f"{service} at 127.0.0.1: 0123\n"


def test_a_training_that_fails_changes_no_weights(volumes: Volumes) -> None:
    volumes.weights.write_bytes(b"old")
    (volumes.data / "pets/SegmentationClass/cat.png").unlink()
    result = volumes.train(RELOAD_KEY=KEY)
    assert result.returncode not in (0, None)
    assert volumes.weights.read_bytes() == b"old"
