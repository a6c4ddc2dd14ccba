"""Content of the image, and privileges and needs of its containers."""

import json
from collections.abc import Iterator
from io import BytesIO

import httpx2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from benchmarks.docker import HARDENED, START_S, Container, DockerError, docker
from benchmarks.waiting import wait_until
from deploy.shipped import shipped
from model.segmenter import Segmenter

PORT = ("--publish", "127.0.0.1::8000")

PARTS = (
    "cd /opt/venv/lib/python3.11/site-packages; for part in / /usr /srv/* *; do du -sbx $part; done 2>/dev/null || true"
)
"""Command that prints the size in bytes of the whole root file system and of its parts."""

PACKAGES = """
import json
from importlib.metadata import distributions
found = distributions(path=["/opt/venv/lib/python3.11/site-packages"])
print(json.dumps({package.name: package.version for package in found}))
"""

POST = """
import sys
from urllib.request import Request, urlopen
body = sys.stdin.buffer.read()
with urlopen(Request("http://127.0.0.1:8000/segment", body, {"Content-Type": "image/jpeg"})) as response:
    print(response.status, len(response.read()))
"""


KILL = """
import os
from pathlib import Path
for process in sorted(Path("/proc").glob("[0-9]*"), key=lambda process: int(process.name)):
    if process.joinpath("cmdline").read_bytes().split(b"\\0")[1:3] == [b"-m", b"app"]:
        os.kill(int(process.name), 9)
        break
"""


@pytest.fixture(scope="session", params=["cpu", "cuda"])
def image(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_image"))


@pytest.fixture(scope="module")
def container(image: str) -> Iterator[Container]:
    """A container of the service, run as in docs/container.md."""
    settings = ("--env", "FCN_PRECISION=float32")
    with Container(image, *HARDENED, *PORT, *settings) as container:
        yield container.wait_until_healthy()


def mask_of(response: httpx2.Response) -> NDArray[np.uint8]:
    assert response.status_code == 200, response.text
    with Image.open(BytesIO(response.content)) as picture:
        return np.array(picture)


def test_its_mask_is_that_of_this_checkout(container: Container, photograph: bytes, cat: NDArray[np.uint8]) -> None:
    mask = mask_of(container.segment(photograph))
    # A different version of PyTorch and a different number of threads may round scores differently.
    assert np.mean(mask == Segmenter.load().segment(cat).mask) > 0.9999


def test_it_is_nobody(container: Container) -> None:
    assert container.execute("id", "--user") == container.execute("id", "--group") == "10001"
    status = container.execute("cat", "/proc/1/status", "/proc/self/status")
    assert {line.split()[1] for line in status.splitlines() if line.startswith("Cap")} == {"0" * 16}
    assert not [variable for variable in container.details["Config"]["Env"] if variable.startswith("HOME=")]


@pytest.mark.parametrize("folder", ["/srv", "/opt/venv", "/home", "/etc", "/var"])
def test_not_even_root_can_write_its_files(container: Container, folder: str) -> None:
    with pytest.raises(DockerError, match="Read-only file system"):
        docker("exec", "--user", "0", container.id, "touch", f"{folder}/x")


def test_its_log_is_json(container: Container, photograph: bytes) -> None:
    assert container.segment(photograph).status_code == 200
    documents = [json.loads(line) for line in container.logs]
    assert [document["message"] for document in documents if document["message"].startswith("Ready on ")] == [
        "Ready on http://0.0.0.0:8000"
    ]
    assert "request" in {document["message"] for document in documents}


@pytest.mark.parametrize("user", [("--user", "1234567:0"), ()], ids=["arbitrary_uid", "own_uid"])
def test_it_serves_without_network_and_whoever_it_is(cpu_image: str, photograph: bytes, user: tuple[str, ...]) -> None:
    with Container(cpu_image, *HARDENED, *user, "--network", "none") as container:
        container.wait_until_healthy()
        status, size_bytes = container.execute("python", "-c", POST, input=photograph).split()
    assert status == "200"
    assert int(size_bytes) > 100


def test_a_hundred_megapixels_fit_its_memory_limit(cpu_image: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    photograph = BytesIO()
    Image.linear_gradient("L").resize((10_000, 10_000)).convert("RGB").save(photograph, "JPEG")
    with Container(cpu_image, *HARDENED, *PORT, "--env", "FCN_DEADLINE_S=600") as container:
        container.wait_until_healthy()
        assert mask_of(container.segment(photograph.getvalue(), 900)).shape == (10_000, 10_000)
        state = container.state
        assert state["Running"]
        assert not state["OOMKilled"]


def test_a_limit_below_the_bound_admits_less(cpu_image: str) -> None:
    with Container(cpu_image, *HARDENED, "--memory", "4g") as container:
        container.wait_until_healthy()
        (warning,) = [line for line in map(json.loads, container.logs) if line["level"] == "warning"]
        assert warning["message"].startswith("the memory limit of 4295 MB a worker is below the ")
        (memory,) = [
            line["message"] for line in map(json.loads, container.logs) if line["message"].startswith("memory: ")
        ]
        assert int(memory.removeprefix("memory: at most ").split()[0]) <= 4295


def test_a_limit_that_nothing_fits_ends_the_start(cpu_image: str) -> None:
    with Container(cpu_image, *HARDENED, "--memory", "1g") as container:
        assert container.wait() == 3
        (error,) = [line["message"] for line in map(json.loads, container.logs) if line["level"] == "error"]
        assert error.startswith("cannot start: the memory limit is 1074 MB a worker, and these settings take at most ")


def test_it_holds_the_packages_that_the_sbom_names(cuda_image: str) -> None:
    held = json.loads(docker("run", "--rm", cuda_image, "python", "-c", PACKAGES))
    assert held == {package.name: package.version for package in shipped()}


def test_it_holds_code_and_weights_and_nothing_else_of_the_checkout(cpu_image: str) -> None:
    assert docker("run", "--rm", cpu_image, "ls", "/srv").split() == ["app", "model"]
    # The base image's own pip is elsewhere.
    assert "pip" not in docker("run", "--rm", cpu_image, "ls", "/opt/venv/bin").split()
    assert docker("run", "--rm", cpu_image, "sh", "-c", "for name in gcc cc; do command -v $name; done || true") == ""


def test_training_and_build_hold_more(training_image: str, build_image: str) -> None:
    assert docker("run", "--rm", training_image, "ls", "/srv").split() == ["app", "model", "training"]
    assert "usage" in docker("run", "--rm", training_image, "python", "-m", "training", "--help").lower()
    assert docker("run", "--rm", build_image, "pip", "check") == "No broken requirements found."


def test_its_size_by_part(image: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines = docker("run", "--rm", "--user", "0", image, "sh", "-c", PARTS).splitlines()
    sizes = {part: int(size_bytes) / 1e6 for size_bytes, part in (line.split("\t") for line in lines)}
    total_mb = sizes.pop("/")
    with capsys.disabled():
        print(f"\n{image}: {total_mb:.0f} MB")
        for part, size_mb in sorted(sizes.items(), key=lambda item: -item[1])[:10]:
            print(f"{size_mb:8.0f} MB  {part}")
    has_cuda = any(part == "nvidia" for part in sizes)
    assert total_mb < (5000 if has_cuda else 1000)


def test_its_labels_say_what_it_is(cpu_image: str) -> None:
    (details,) = json.loads(docker("image", "inspect", cpu_image))
    labels = details["Config"]["Labels"]
    assert labels["org.opencontainers.image.title"] == "fcn-segmentation"
    assert labels["org.opencontainers.image.licenses"] == "MIT"


def test_a_killed_service_comes_back(cpu_image: str, photograph: bytes) -> None:
    with Container(cpu_image, *HARDENED, *PORT, "--restart", "unless-stopped") as container:
        container.wait_until_healthy()
        # After `docker kill` Docker would not restart it, as if it had been stopped by hand.
        docker("exec", "--detach", container.id, "python", "-c", KILL)
        wait_until(lambda: container.details["RestartCount"] == 1, START_S)
        assert container.wait_until_healthy().segment(photograph).status_code == 200
