"""The service that an image makes, started as it is deployed: its user, no capabilities, a read-only root."""

import http.client
import io
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from deploy.chroot.errors import CheckError
from deploy.chroot.inside import inside_hardened
from deploy.chroot.stage import Stage

_START_TIMEOUT_S = 300.0
_STOP_TIMEOUT_S = 60.0


class RunningService:
    """A container's process, but for the container.

    Args:
        stage: the image.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self._port = int(listener.getsockname()[1])
        stage.environment.update({"FCN_HOST": "127.0.0.1", "FCN_PORT": str(self._port)})
        self._process = subprocess.Popen(inside_hardened(stage, stage.command, {}))

    def wait_until_ready(self) -> None:
        """Ask ``/readyz`` until it says so; ``CheckError`` if the service ends, or takes more than five minutes."""
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not self._is_ready():
            if self._process.poll() is not None:
                raise CheckError(f"the service ended with exit code {self._process.returncode} before it was ready")
            if time.monotonic() > deadline:
                raise CheckError(f"not ready after {_START_TIMEOUT_S:g} s")
            time.sleep(0.02)

    def _is_ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def check_health(self) -> None:
        """Run the image's own health check; ``CheckError`` if it finds the service ill."""
        command = inside_hardened(self._stage, self._stage.healthcheck, {})
        check = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        if check.returncode:
            raise CheckError(f"the health check failed: {check.stderr[-500:]}")

    def segment(self, photograph: Path) -> None:
        """Have the service segment a photograph; ``CheckError`` unless the answer is a PNG of its size."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=120)
        headers = {"Content-Type": "image/jpeg", "Accept": "image/png"}
        connection.request("POST", "/segment", photograph.read_bytes(), headers)
        response = connection.getresponse()
        body = response.read()
        connection.close()
        if response.status != 200:
            raise CheckError(f"/segment answered {response.status}: {body[:500].decode(errors='replace')}")
        with Image.open(io.BytesIO(body)) as mask, Image.open(photograph) as image:
            if mask.format != "PNG" or mask.size != image.size:
                raise CheckError(f"/segment answered {mask.format} of {mask.size}, not PNG of {image.size}")

    def cpu_s(self) -> float:
        """Seconds that its process has computed, on all cores together."""
        # The name of the program, in parentheses, may hold spaces.
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def read_bytes(self) -> int:
        """What its process has had to read from the disk."""
        lines = Path(f"/proc/{self._process.pid}/io").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("read_bytes"))

    def stop(self) -> None:
        """Send the image's signal; ``CheckError`` if the exit code is not 0."""
        self._process.send_signal(self._stage.stop_signal)
        code = self._process.wait(timeout=_STOP_TIMEOUT_S)
        if code != 0:
            raise CheckError(f"exit code {code} after {self._stage.stop_signal.name}, not 0")

    def kill(self) -> None:
        """End the process, if it has not ended."""
        self._process.kill()
        self._process.wait()


@contextmanager
def running(stage: Stage) -> Iterator[RunningService]:
    """The service of a stage; killed at the end if it still runs."""
    if not stage.command or not stage.healthcheck:
        raise CheckError("the last stage lacks a CMD or a HEALTHCHECK")
    if stage.account().uid == 0:
        raise CheckError("the service would run as root")
    service = RunningService(stage)
    try:
        yield service
    finally:
        service.kill()


def try_service(stage: Stage, photograph: Path) -> None:
    """Start it, have it segment, and end it; ``CheckError`` if anything is amiss."""
    print(f"Starting {stage.command} as {stage.account()} (EXPOSE {' '.join(stage.ports)})", flush=True)
    with running(stage) as service:
        service.wait_until_ready()
        service.check_health()
        service.segment(photograph)
        service.stop()
    print(f"Ready, healthy, /segment answered a PNG of the image's size, exit code 0 after {stage.stop_signal.name}")
