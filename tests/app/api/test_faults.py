"""Faults of the environment in which the service must still serve."""

import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx2
import pytest

from benchmarks.waiting import wait_until
from model.checkpoint import Checkpoint
from model.errors import CheckpointError
from model.segmenter import DEFAULT_WEIGHTS
from tests.app import bare_root
from tests.app.server_process import ServerProcess, environment
from tests.programs import needs

ROOT = Path(__file__).parents[3]

Start = Callable[..., ServerProcess]

_FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)

_BARE_ROOT = rf"""
set -eu
bare=$1 here=$2
shift 2
{bare_root.MAKE}
mkdir "$bare/full"
mount -t tmpfs -o size=4k tmpfs "$bare/full"
dd if=/dev/zero of="$bare/full/file" bs=1k count=8 2>/dev/null || true
{bare_root.SEAL}
export TMPDIR=/full
exec chroot "$bare" env --chdir "$here" setpriv --bounding-set=-all --inh-caps=-all "$@"
"""
"""Shell script that runs a command without privileges in a minimal, read-only root of its own, without /tmp and HOME,
and with a full disk for temporary files."""


def _can_mount() -> bool:
    if shutil.which("unshare") is None or shutil.which("setpriv") is None:
        return False
    trial = ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(trial, check=False, capture_output=True).returncode == 0


@pytest.mark.skipif(not _can_mount(), reason="only root may mount file systems")
def test_a_read_only_disk_a_full_one_and_no_home_are_no_obstacle(
    start_server: Start, tmp_path: Path, cat: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = {Path(sys.prefix), Path(sys.base_prefix), ROOT}
    monkeypatch.setenv("PARTS", " ".join(str(part) for part in parts if parts.isdisjoint(part.parents)))
    server = start_server("unshare", "--mount", "sh", "-c", _BARE_ROOT, "sh", str(tmp_path), str(ROOT))
    with server.client() as client:
        # Larger than the part of a form that is usually kept in memory.
        assert client.post("/segment", files={"image": cat + bytes(2 << 20)}).status_code == 200
    server.end()
    assert server.process.returncode == 0


@needs("prlimit")
@pytest.mark.slow
def test_many_connections_need_no_higher_soft_limit_and_too_many_are_recovered_from(
    start_server: Start, cat: bytes
) -> None:
    server = start_server("prlimit", "--nofile=128:4096")
    with ExitStack() as stack:
        for _ in range(400):
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
        with server.client() as client:
            assert client.post("/segment", content=cat).status_code == 200
        # Fewer than are open: from now on no connection can be accepted.
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (200, 200))
        with server.client() as client, pytest.raises(httpx2.TransportError):
            client.get("/livez")
    with server.client() as client:
        wait_until(lambda: _answers(client, "/livez"))
        assert client.post("/segment", files={"image": cat}).status_code == 200


@pytest.mark.slow
def test_nobody_needs_to_read_what_the_service_prints_and_logs(cat: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    reading, writing = os.pipe()
    os.close(reading)
    with Path("/dev/full").open("w") as full:
        process = subprocess.Popen(
            [sys.executable, "-m", "app"],
            env=environment({"port": port}) | {"PYTHONUNBUFFERED": ""},
            stdout=writing,
            stderr=full,
        )
    os.close(writing)
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}") as client:
            wait_until(lambda: _answers(client, "/readyz"), timeout_s=120)
            assert client.post("/segment", content=cat).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.wait()


@pytest.mark.skipif(_FAKETIME is None, reason="libfaketime is not installed")
@pytest.mark.slow
def test_a_clock_that_jumps_makes_no_negative_times(
    start_server: Start, tmp_path: Path, cat: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = tmp_path / "clock"
    clock.write_text("+0")
    for name, value in {
        "LD_PRELOAD": str(_FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }.items():
        monkeypatch.setitem(os.environ, name, value)
    with ServerProcess() as server, server.client() as client:
        assert client.post("/segment", content=cat).status_code == 200
        client.get("/livez")  # by then the log has the previous request's line
        clock.write_text("-100d")
        response = client.post("/segment", content=cat)
        assert response.status_code == 200
        durations = re.findall(r"dur=(\S+?)(?:,|$)", response.headers["server-timing"])
        assert durations
        assert all(0 <= float(duration) < 60_000 for duration in durations)
        metrics = client.get("/metrics").text
        sums = re.findall(r"^fcn_\w+_seconds_sum\S* (\S+)$", metrics, re.MULTILINE)
        assert sums
        assert all(0 <= float(seconds) < 60 for seconds in sums)
        log = server.end()
    before, after = (json.loads(line)["time"] for line in log if '"path":"/segment"' in line)
    assert after < before


def test_weights_that_may_not_be_read_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "weights.safetensors"
    shutil.copy(DEFAULT_WEIGHTS, file)
    file.chmod(0)
    with _nobody(), pytest.raises(CheckpointError, match=f"weights file {file} cannot be read: Permission denied"):
        Checkpoint.load(file)


@contextmanager
def _nobody() -> Iterator[None]:
    """Run as an unprivileged user if the tests run as root, which may read everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def _answers(client: httpx2.Client, path: str) -> bool:
    try:
        return client.get(path).status_code == 200
    except httpx2.TransportError:
        return False
