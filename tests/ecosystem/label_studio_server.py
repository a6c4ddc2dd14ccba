"""A real Label Studio, in an environment of its own: it needs different versions of libraries than the service."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

import httpx2

from tests.ecosystem.ports import free_port

PROGRAM = Path(sys.prefix) / "label-studio/bin/label-studio"

_USER, _PASSWORD = "annotator@example.org", "annotator-1"
_START_S = 240


class LabelStudioServer:
    """Label Studio on a free port, with an empty database and one user; ready when entered.

    Args:
        folder: folder for all its files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = free_port()

    def __enter__(self) -> Self:
        self._log = (self._folder / "log.txt").open("w")
        self._process = subprocess.Popen(
            [PROGRAM, "start", "--no-browser", "--port", str(self.port)],
            cwd=self._folder,
            env=self._environment(),
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            self._await_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
            try:
                self._process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait(timeout=20)
        self._log.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return (self._folder / "log.txt").read_text()

    def access_token(self) -> str:
        """Create a personal access token, as Account & Settings does."""
        with httpx2.Client(base_url=self.url, timeout=60) as http:
            page = http.get("/user/login/").text
            token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
            assert token
            form = {"csrfmiddlewaretoken": token[1], "email": _USER, "password": _PASSWORD}
            assert http.post("/user/login/", data=form, headers={"Referer": self.url}).status_code == 302
            answer = http.post("/api/token/", headers={"X-CSRFToken": http.cookies["csrftoken"], "Referer": self.url})
            assert answer.status_code == 201, answer.text
            key: str = answer.json()["token"]
            return key

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}",
            "HOME": str(self._folder),
            "LABEL_STUDIO_BASE_DATA_DIR": str(self._folder / "data"),
            "LABEL_STUDIO_USERNAME": _USER,
            "LABEL_STUDIO_PASSWORD": _PASSWORD,
            "LABEL_STUDIO_HOST": self.url,
            # Otherwise it neither calls a backend on this machine nor sends it annotations.
            "ML_BLOCK_LOCAL_IP": "false",
            "USE_DEFAULT_BANNED_SUBNETS": "false",
            "COLLECT_ANALYTICS": "false",
            "LATEST_VERSION_CHECK": "false",
            "SENTRY_DSN": "",
            "FRONTEND_SENTRY_DSN": "",
        }

    def _await_ready(self) -> None:
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            assert self._process.poll() is None, self.log
            try:
                if httpx2.get(f"{self.url}/health", timeout=5).status_code == 200:
                    return
            except httpx2.TransportError:
                pass
            time.sleep(0.2)
        raise AssertionError(f"Label Studio did not start in {_START_S} s:\n{self.log}")
