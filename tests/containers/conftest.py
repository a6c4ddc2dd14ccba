"""A Docker engine and the images of the Dockerfile. Without an engine these tests are skipped, visibly.

If a machine has no engine and allows it (Debian, root), the tests unpack and start one, and remove it at the end.
If Docker Hub is unreachable, Debian's programs stand in for its images.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from benchmarks.docker import DockerError, docker

ROOT = Path(__file__).parents[2]
_SCRIPTS = Path(__file__).parent

_FOLDERS, _PREFIX = Path("/var/tmp"), "fcn-engine-"
"""Folder of the engines that the tests unpack, and the prefix of their names."""

_DISK_BYTES = 22_000_000_000
"""Size of all images together in bytes."""


@pytest.fixture(scope="session", autouse=True)
def engine() -> Iterator[None]:
    """A running engine: the one that ``docker`` finds, or one that ends with the tests."""
    if _answers():
        yield
        return
    if sys.platform != "linux" or os.geteuid() != 0 or not Path("/etc/apt/sources.list.d/debian.sources").exists():
        pytest.skip("no Docker engine answers (`docker version`), and starting one takes root on Debian")
    for left in _FOLDERS.glob(f"{_PREFIX}*"):  # left by a killed run
        _engine("remove", left)
    if shutil.disk_usage(_FOLDERS).free < _DISK_BYTES:
        pytest.skip(f"the images take {_DISK_BYTES / 1e9:.0f} GB in {_FOLDERS}")
    # Socket paths have at most 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_FOLDERS))
    try:
        _engine("install", folder)
        told = _engine("start", folder)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in re.findall(r"(\w+)=(\S+)", told):
                patch.setenv(name, value.replace("$PATH", os.environ["PATH"]))
            yield
    finally:
        _engine("remove", folder)


@pytest.fixture(scope="session")
def photograph(examples: Path) -> bytes:
    return (examples / "cat.jpg").read_bytes()


@pytest.fixture(scope="session")
def bases(engine: None) -> None:
    """The base images of the Dockerfile and docker-compose.yml."""
    text = (ROOT / "Dockerfile").read_text() + (ROOT / "docker-compose.yml").read_text()
    names = re.findall(r"^(?:FROM| *image:) +([\w./-]+:v?\d[\w.-]*)", text, re.MULTILINE)
    assert len(names) == 4
    for name in names:
        if not _is_there(name) and not _is_pulled(name):
            folder = Path(os.environ.get("DOCKER_HOST", "").removeprefix("unix://")).parent
            if not (folder / "pip.conf").exists():
                pytest.skip(f"{name} can be pulled from nowhere")
            _run("bases.sh", ROOT, folder)


@pytest.fixture(scope="session")
def cuda_image(bases: None) -> str:
    """The service's image, for CUDA."""
    return _build("fcn-segmentation", ROOT, TORCH_INDEX_URL="")


@pytest.fixture(scope="session")
def training_image(cuda_image: str) -> str:
    """The training image, for CUDA, tagged as compose's images of ``train`` and, here, of ``train-cpu``."""
    name = _build("fcn-segmentation:train", ROOT, "--target", "train", TORCH_INDEX_URL="")
    docker("tag", name, "fcn-segmentation:train-cpu")
    return name


@pytest.fixture(scope="session")
def build_image(cuda_image: str) -> str:
    return _build("fcn-segmentation:build", ROOT, "--target", "build", TORCH_INDEX_URL="")


@pytest.fixture(scope="session")
def cpu_image(bases: None, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> str:
    """The service's image without CUDA; if no index of such builds is known, the image with CUDA.

    If the index lacks the pinned version, a copy of the constraints gets the newest that it has.
    """
    index = os.environ.get("TORCH_INDEX_URL", "")
    if not index:
        docker("tag", request.getfixturevalue("cuda_image"), "fcn-segmentation:cpu")
        return "fcn-segmentation:cpu"
    checkout = _checkout(tmp_path_factory.mktemp("checkout"))
    constraints = checkout / "constraints.txt"
    (pinned,) = re.findall(r"^torch==(\S+)$", constraints.read_text(), re.MULTILINE)
    versions = cpu_versions(index)
    if pinned not in versions:
        print(f"TORCH_INDEX_URL lacks torch {pinned}; the image has {versions[-1]}", file=sys.stderr)
        constraints.write_text(constraints.read_text().replace(f"torch=={pinned}\n", f"torch=={versions[-1]}\n"))
    return _build("fcn-segmentation:cpu", checkout, TORCH_INDEX_URL=index)


def cpu_versions(index: str) -> list[str]:
    """Versions of PyTorch that an index of builds without CUDA has for the image's Python, oldest first."""
    # The engine's index can be reached from here as from a build.
    with urlopen(f"{index.rstrip('/')}/torch/", timeout=60) as page:
        names = page.read().decode()
    found = set(re.findall(r"torch-(\d+\.\d+\.\d+)(?:%2B|\+)cpu-cp311-", names))
    return sorted(found, key=lambda version: [int(part) for part in version.split(".")])


def _engine(action: str, folder: Path) -> str:
    return _run("engine.sh", action, folder)


def _run(script: str, *words: str | Path) -> str:
    # The scripts ask pip for its configuration, and must find this environment's pip.
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = ["bash", _SCRIPTS / script, *words]
    return subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout


def _answers() -> bool:
    try:
        docker("version")
    except (DockerError, FileNotFoundError):
        return False
    return True


def _is_there(name: str) -> bool:
    try:
        docker("image", "inspect", name)
    except DockerError:
        return False
    return True


def _is_pulled(name: str) -> bool:
    try:
        docker("pull", "--quiet", name)
    except DockerError:
        return False
    return True


def _build(tag: str, checkout: Path, *options: str, **arguments: str) -> str:
    words = [word for name, value in arguments.items() if value for word in ("--build-arg", f"{name}={value}")]
    docker("build", "--quiet", "--tag", tag, *options, *words, checkout)
    return tag


def _checkout(folder: Path) -> Path:
    """A copy of the build context."""
    for name in (".dockerignore", "Dockerfile", "LICENSE", "README.md", "constraints.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    for name in ("app", "model", "training"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder
