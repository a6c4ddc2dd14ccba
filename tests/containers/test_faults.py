"""What goes wrong when a container starts: one sentence in its log, and the exit code that docs/container.md lists."""

from collections.abc import Iterator

import pytest

from benchmarks.docker import HARDENED, Container, docker

SETTINGS_ARE_WRONG = 2
CANNOT_START = 3


@pytest.fixture
def volume() -> Iterator[str]:
    name = docker("volume", "create")
    yield name
    docker("volume", "rm", name)


def require_end(container: Container, exit_code: int, sentence: str) -> None:
    assert container.wait() == exit_code
    log = "\n".join(container.logs)
    assert sentence in log
    assert "Traceback" not in log


def test_a_missing_weights_mount(cpu_image: str) -> None:
    with Container(cpu_image, *HARDENED, "--env", "FCN_WEIGHTS=/weights/model.safetensors") as container:
        require_end(container, CANNOT_START, "/weights/model.safetensors")


def test_keys_that_it_may_not_read(cpu_image: str, volume: str) -> None:
    write = f"umask 077; echo 'camera {'0' * 64} segment' > /run/keys/keys.txt"
    docker("run", "--rm", "--user", "0", "--volume", f"{volume}:/run/keys", cpu_image, "sh", "-c", write)
    options = ("--volume", f"{volume}:/run/keys:ro", "--env", "FCN_API_KEYS_FILE=/run/keys/keys.txt")
    with Container(cpu_image, *HARDENED, *options) as container:
        require_end(container, CANNOT_START, "/run/keys/keys.txt")


def test_a_port_that_is_taken(cpu_image: str) -> None:
    with Container(cpu_image, *HARDENED) as first:
        first.wait_until_healthy()
        with Container(cpu_image, *HARDENED, "--network", f"container:{first.id}") as second:
            require_end(second, CANNOT_START, "address already in use")


def test_a_setting_that_is_none(cpu_image: str) -> None:
    with Container(cpu_image, *HARDENED, "--env", "FCN_MAX_PIXELS=many") as container:
        require_end(container, SETTINGS_ARE_WRONG, "FCN_MAX_PIXELS")


def test_a_gpu_that_is_not_there(cpu_image: str) -> None:
    with Container(cpu_image, *HARDENED, "--env", "FCN_DEVICE=cuda") as container:
        require_end(container, CANNOT_START, "cuda")
