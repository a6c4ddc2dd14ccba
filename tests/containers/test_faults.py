"""Failures of a container's start: one sentence in its log, and the exit code that docs/container.md lists."""

from collections.abc import Iterator

import pytest

from benchmarks.docker import HARDENED, Container, docker

FAILED = 1
SETTINGS_ARE_WRONG = 2
CANNOT_START = 3


@pytest.fixture
def volume() -> Iterator[str]:
    name = docker("volume", "create")
    yield name
    docker("volume", "rm", name)


def require_end(container: Container, exit_code: int, words: str) -> None:
    """Require that it ended with this code, and that the only error in its log has these words."""
    assert container.wait() == exit_code
    (error,) = [line for line in container.logs if '"level":"error"' in line or "error:" in line]
    assert words in error
    assert "Traceback" not in "\n".join(container.logs)


def test_a_missing_weights_mount(cpu_image: str) -> None:
    with Container(cpu_image, *HARDENED, "--env", "FCN_WEIGHTS=/weights/model.safetensors") as container:
        require_end(container, CANNOT_START, "cannot start: there is no weights file /weights/model.safetensors")


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
        require_end(container, CANNOT_START, "cannot start: device 'cuda' cannot be used: ")


def test_a_folder_of_runs_that_is_read_only(training_image: str, volume: str) -> None:
    command = ("python", "-m", "training", "train", "finetune", "--out", "/runs/pets")
    with Container(training_image, *HARDENED, "--volume", f"{volume}:/runs:ro", command=command) as container:
        require_end(container, FAILED, "error: the run's folder /runs/pets cannot be written: /runs is ")


def test_too_little_shared_memory_for_training(training_image: str) -> None:
    command = ("python", "-m", "training", "train", "voc-gpu", "--device", "cpu", "--set", "run.bfloat16=false")
    options = ("--shm-size", "16m", "--workdir", "/tmp")
    environment = ("--env", "PYTHONPATH=/srv")
    with Container(training_image, *HARDENED, *options, *environment, command=command) as container:
        require_end(container, FAILED, "of shared memory, but /dev/shm has 17 MB: set data.workers=0, or give")
