"""``fcn-segment serve`` and ``python -m app``."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.app.cli.command import COMMAND, environment, run
from tests.app.server_process import READY

MODULE = (sys.executable, "-m", "app")


@contextmanager
def serving(*command: str, **variables: str) -> Iterator[str]:
    """The URL of a service that the command starts; the service must exit cleanly."""
    process = subprocess.Popen(
        command, env=environment(**variables), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        match = next(filter(None, map(READY.search, process.stderr)))
        yield f"http://127.0.0.1:{match[1]}"
    finally:
        process.send_signal(signal.SIGTERM)
        with process:  # closes the pipe
            try:
                assert process.wait(timeout=60) == 0
            finally:
                process.kill()


@pytest.mark.slow
def test_options_beat_the_environment() -> None:
    options = ("serve", "--host", "127.0.0.1", "--port", "0", "--device", "cpu", "--precision", "float64")
    with serving(*COMMAND, *options, FCN_PORT="1", FCN_DEVICE="abacus", FCN_PRECISION="int8") as url:
        model = httpx2.get(f"{url}/model").json()
    assert (model["device"], model["precision"]) == ("cpu", "float64")


@pytest.mark.slow
def test_workers_are_told_what_the_options_say() -> None:
    with serving(*MODULE, "serve", "--port", "0", "--workers", "2", "--precision", "float64", FCN_THREADS="1") as url:
        assert httpx2.get(f"{url}/model").json()["precision"] == "float64"


def test_the_module_without_a_command_serves_and_needs_no_library_of_the_command_line() -> None:
    script = "import sys, runpy; sys.modules['typer'] = sys.modules['rich'] = None; sys.argv = ['app']; "
    with serving(sys.executable, "-c", script + "runpy.run_module('app', run_name='__main__')", FCN_PORT="0") as url:
        assert httpx2.get(f"{url}/readyz").status_code == 200


def test_what_cannot_serve_has_the_services_exit_codes(tmp_path: Path) -> None:
    assert run("serve", "--port", 0, "--weights", "nowhere", cwd=tmp_path).returncode == 3
    assert run("serve", "--port", 70000, cwd=tmp_path).returncode == 2
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = run("serve", "--port", taken.getsockname()[1], "--workers", 2, cwd=tmp_path)
    assert result.returncode == 3
    assert b"cannot listen" in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["--help"], ["image", "--help"], ["classes", "--json"], ["nonsense"]])
def test_the_module_does_what_the_command_does(tmp_path: Path, arguments: list[str]) -> None:
    by_module, by_command = run(*arguments, cwd=tmp_path, command=MODULE), run(*arguments, cwd=tmp_path)
    assert by_module.returncode == by_command.returncode
    for one, other in ((by_module.stdout, by_command.stdout), (by_module.stderr, by_command.stderr)):
        assert one.replace(b"python -m app", b"fcn-segment").split() == other.split()
